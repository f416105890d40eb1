"""What only the values of an update stream know, checked on the host."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from quantjax.lob.updates import LevelUpdates

__all__ = ["UpdateCheck", "check_updates", "refuse_faults"]


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
    """Raise ValueError for streams with faults, and for times that no book is known at."""
    for name, stream in (("snapshot", snapshot), ("updates", updates)):
        # Whole passes without temporary arrays; what exactly is wrong is found out only where something is.
        ordered = name == "snapshot" or bool((stream.time_ns[1:] >= stream.time_ns[:-1]).all())
        if len(stream) == 0 or (
            ordered
            and stream.side.min() >= -1
            and stream.side.max() <= 1
            and stream.size.min() >= 0
            and stream.size.max() < np.inf
        ):
            continue
        found = check_updates(stream)
        for fault, advice in _ADVICE.items():
            rows = np.flatnonzero(getattr(found, fault))
            if len(rows) and not (fault == "out_of_order" and name == "snapshot"):
                raise ValueError(
                    f"expected {name} without faults, got {len(rows)} {fault.replace('_', ' ')}, the first in row "
                    f"{rows[0]} (time {stream.time_ns[rows[0]]}, size {stream.size[rows[0]]}); {advice}"
                )
    if np.any(at[1:] < at[:-1]):
        raise ValueError("expected times at which books are asked for in order, got a step back; sort them first")
    if len(at) and len(snapshot) and at[0] < (known := int(snapshot.time_ns.max())):
        raise ValueError(
            f"expected times from the snapshot's on ({known}), got {int(np.count_nonzero(at < known))} before it, "
            f"the first {at[0]}; the book is not known there"
        )
