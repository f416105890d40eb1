"""When a request may be made, or made again: a venue without a clock keeps the times at which it asked."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Pacer"]


@dataclass(slots=True)
class _Request:
    asked_ns: int | None = None  # None while no answer is awaited
    not_before_ns: int = 0
    failures: int = 0


@dataclass(slots=True)
class Pacer:
    """Requests by key; all times are nanoseconds of one clock that the caller passes in.

    Args:
        again_after_ns: least time between two requests of a key; doubled by every failure in a row.
        at_most_ns: most that it is doubled to.
        answer_within_ns: an answer that takes longer is given up.
    """

    again_after_ns: int
    at_most_ns: int
    answer_within_ns: int
    _requests: dict[str, _Request] = field(default_factory=dict)

    def ask(self, key: str, now_ns: int) -> bool:
        """Whether the request may be made now; it then counts as made."""
        request = self._requests.setdefault(key, _Request())
        if request.asked_ns is not None or now_ns < request.not_before_ns:
            return False
        request.asked_ns = now_ns
        request.not_before_ns = now_ns + self.again_after_ns
        return True

    def answered(self, key: str) -> None:
        """The request succeeded."""
        request = self._requests.setdefault(key, _Request())
        request.asked_ns, request.failures = None, 0

    def failed(self, key: str, now_ns: int, at_least_ns: int = 0) -> None:
        """The request failed: the next one waits, the longer the more failed in a row."""
        request = self._requests.setdefault(key, _Request())
        wait_ns = min(self.again_after_ns << min(request.failures, 30), self.at_most_ns)
        request.asked_ns = None
        request.failures += 1
        request.not_before_ns = now_ns + max(wait_ns, at_least_ns)

    def lost(self, now_ns: int) -> list[str]:
        """Keys of the requests whose answers are given up now; they may be made again."""
        keys = []
        for key, request in self._requests.items():
            if request.asked_ns is not None and now_ns - request.asked_ns > self.answer_within_ns:
                request.asked_ns = None
                keys.append(key)
        return keys

    def clear(self) -> None:
        self._requests.clear()
