"""The same workloads in other tools, for comparison; each is optional."""
