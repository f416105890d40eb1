"""A venue's sense of time: it has no clock but the receive times of its inputs, and those may jump."""

from __future__ import annotations

__all__ = ["VenueClock"]


class VenueClock:
    """Two readings of the receive times, in nanoseconds, neither of which ever goes back.

    `now_ns` stamps events: the latest time read, so that after a jump back it stands still until the clock has caught
    up. `elapsed_ns` measures waits: it misses the jump alone and goes on at once, since an hour's jump must not stop
    retries for an hour.
    """

    __slots__ = ("_last_ns", "elapsed_ns", "now_ns")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As new: another process's clock is read from here on."""
        self.now_ns = 0
        self.elapsed_ns = 0
        self._last_ns: int | None = None

    def read(self, received_ns: int) -> bool:
        """Take a receive time in; whether it is before the last one."""
        last_ns = received_ns if self._last_ns is None else self._last_ns
        self._last_ns = received_ns
        self.now_ns = max(self.now_ns, received_ns)
        self.elapsed_ns += max(0, received_ns - last_ns)
        return received_ns < last_ns
