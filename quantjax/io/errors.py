"""What is raised where a file is not what it should be."""

__all__ = ["DataError"]


class DataError(ValueError):
    """A file that cannot be read as market data: which file (and line), what was expected, what came, what to do.

    Files that are not there raise FileNotFoundError; options that make no sense raise plain ValueError.
    """
