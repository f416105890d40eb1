"""Recording a venue and replaying it: segments of inputs, the books derived from them, the manifest over both.

`feeds` re-exports the public names; nothing is imported here, so that a reader of one part loads that part alone.
"""
