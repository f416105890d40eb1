"""How the updates of a venue follow one another: the part of book synchronisation that differs between venues."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from feeds.messages import DepthUpdate

__all__ = ["FuturesRules", "SpotRules", "SyncRules", "Verdict"]


class Verdict(Enum):
    """What an update is to a book."""

    OLD = "the book has it already"
    NEXT = "it follows"
    GAP = "something is missing before it"


class SyncRules(Protocol):
    """Judges an update beside a book as of `last_id`; `bridged` once any update was applied since the snapshot."""

    def judge(self, update: DepthUpdate, last_id: int, bridged: bool) -> Verdict: ...


class SpotRules:
    """Binance spot: identifiers count the updates of one symbol without holes.

    The first update after the snapshot has `U <= lastUpdateId + 1 <= u`, each later one normally `U == id + 1`. (The
    venue's text wants `lastUpdateId` itself within the first's `[U, u]`; in recordings `U == lastUpdateId + 1`.)
    """

    def judge(self, update: DepthUpdate, last_id: int, bridged: bool) -> Verdict:
        if update.last_id <= last_id:
            return Verdict.OLD
        return Verdict.GAP if update.first_id > last_id + 1 else Verdict.NEXT


class FuturesRules:
    """Binance futures: identifiers are shared by all symbols, so only `pu`, the `u` of the update before, ties a chain.

    The first update after the snapshot has `pu <= lastUpdateId <= u`. (The venue asks for `U <= lastUpdateId`; where
    `lastUpdateId` falls into the hole between `pu` and `U`, that never comes true however often one fetches.) It may
    have `u == lastUpdateId`, and starts the chain then. Each later one has `pu == id`.
    """

    def judge(self, update: DepthUpdate, last_id: int, bridged: bool) -> Verdict:
        previous = update.first_id if update.previous_last_id is None else update.previous_last_id
        if bridged:
            if update.last_id <= last_id:
                return Verdict.OLD
            return Verdict.NEXT if previous == last_id else Verdict.GAP
        if update.last_id < last_id:
            return Verdict.OLD
        return Verdict.NEXT if previous <= last_id else Verdict.GAP
