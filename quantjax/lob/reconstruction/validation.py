"""What only the values of an update stream know, checked on the host."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from quantjax.lob.updates import LevelUpdates

__all__ = ["UpdateCheck", "check_updates", "refuse_faults", "refuse_sizes"]


class UpdateCheck(eqx.Module):
    """Which updates have which fault: bool arrays `[update]`.

    `out_of_order`: the time is before that of the update before; `negative`: the size is below 0; `not_finite`: it is
    NaN or infinite; `unknown_side`: neither +1 nor -1 nor 0 (padding).
    """

    out_of_order: np.ndarray
    negative: np.ndarray
    not_finite: np.ndarray
    unknown_side: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """Number of updates with each fault."""
        return {name: int(np.count_nonzero(getattr(self, name))) for name in _ADVICE}

    @property
    def ok(self) -> bool:
        """True where no update has a fault."""
        return not any(self.counts.values())


_ADVICE = {
    "out_of_order": "updates[np.argsort(updates.time_ns, kind='stable')] sorts them, if their clock can be trusted",
    "negative": "sizes are absolute, and 0 deletes a level; changes of size are to be summed up first",
    "not_finite": "leave those updates out, or delete the level with size 0",
    "unknown_side": "a bid is +1, an ask -1, padding 0",
}


def check_updates(updates: LevelUpdates) -> UpdateCheck:
    """Which updates are out of order, negative, not finite or of an unknown side. Driver.

    >>> updates = LevelUpdates(np.array([5, 3]), np.array([1, 2]), np.array([1, 1]), np.array([-1.0, 1.0]), 0.01, "XYZ")
    >>> check_updates(updates).counts
    {'out_of_order': 1, 'negative': 1, 'not_finite': 0, 'unknown_side': 1}
    """
    time_ns, side, size = (np.asarray(array) for array in (updates.time_ns, updates.side, updates.size))
    counted = side != 0
    return UpdateCheck(
        out_of_order=np.concatenate([np.zeros(min(1, len(time_ns)), bool), time_ns[1:] < time_ns[:-1]]),
        negative=(size < 0) & counted,
        not_finite=~np.isfinite(size) & counted,
        unknown_side=(side < -1) | (side > 1),
    )


def refuse_faults(snapshot: LevelUpdates, updates: LevelUpdates, at: np.ndarray) -> None:
    """Raise ValueError for streams that do not belong together or have faults, and for times that no book is known
    at."""
    if float(snapshot.tick_size) != float(updates.tick_size):
        raise ValueError(f"expected one tick size, got {snapshot.tick_size} and {updates.tick_size}")
    for name, stream in (("snapshot", snapshot), ("updates", updates)):
        # The levels of a snapshot have no order; all else is refused alike.
        ordered = name == "snapshot" or bool((stream.time_ns[1:] >= stream.time_ns[:-1]).all())
        if not (ordered and _plausible(stream)):
            _refuse(stream, name)
    if np.any(at[1:] < at[:-1]):
        raise ValueError("expected times at which books are asked for in order, got a step back; sort them first")
    if len(snapshot) == 0:
        return
    known = int(snapshot.time_ns.max())
    if len(updates) and int(updates.time_ns[0]) < known:
        number = int(np.count_nonzero(updates.time_ns < known))
        raise ValueError(
            f"expected updates from the snapshot's time on ({known}), got {number} before it, which it has in it; "
            "leave them out, or, where the venue's identifiers say that they follow it, give it the time of the first"
        )
    if len(at) and at[0] < known:
        raise ValueError(
            f"expected times from the snapshot's on ({known}), got {int(np.count_nonzero(at < known))} before it, "
            f"the first {at[0]}; the book is not known there"
        )


def _plausible(stream: LevelUpdates) -> bool:
    """Whether sides and sizes are what they may be: whole passes without temporary arrays."""
    if len(stream) == 0:
        return True
    side, size = np.asarray(stream.side), np.asarray(stream.size)
    return bool(side.min() >= -1 and side.max() <= 1 and size.min() >= 0 and size.max() < np.inf)


def _refuse(stream: LevelUpdates, name: str) -> None:
    """Raise ValueError for the first fault found, if there is one."""
    found = check_updates(stream)
    for fault, advice in _ADVICE.items():
        rows = np.flatnonzero(getattr(found, fault))
        if len(rows) and not (fault == "out_of_order" and name == "snapshot"):
            raise ValueError(
                f"expected {name} without faults, got {len(rows)} {fault.replace('_', ' ')}, the first in row "
                f"{rows[0]} (time {stream.time_ns[rows[0]]}, size {stream.size[rows[0]]}); {advice}"
            )


def refuse_sizes(updates: LevelUpdates) -> None:
    """Raise ValueError for sides and sizes that cannot be, whatever the times."""
    if not _plausible(updates):
        _refuse(updates, "snapshot")
