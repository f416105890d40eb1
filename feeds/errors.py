"""What can go wrong with a feed.

    FeedError
    ├── MalformedMessage   a frame, body or field that is not what the venue documents
    ├── UnknownSymbol      the venue does not list the symbol
    ├── Disconnected       the connection is gone and could not be had back
    └── RecordingError     a recording that cannot be read or written

Inside the machines faults are events and counters, not exceptions; these are raised to the caller.
"""

__all__ = ["Disconnected", "FeedError", "MalformedMessage", "RecordingError", "UnknownSymbol"]


class FeedError(Exception):
    """Base of all errors of this package."""


class MalformedMessage(FeedError):
    """A frame, body or field that is not what the venue documents."""


class UnknownSymbol(FeedError):
    """The venue does not list the symbol."""


class Disconnected(FeedError):
    """The connection is gone and could not be had back."""


class RecordingError(FeedError):
    """A recording that cannot be read or written."""
