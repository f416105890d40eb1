"""A small recording in the venue's words: a book that walks, its announced quotes, trades, and a gap on request."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.io.files import STAMP, write

STEP_NS = 100_000_000
TICK = 0.01


def write_market(path: Path, *, messages: int = 600, gap_at: int | None = None, seed: int = 7) -> Path:
    """Depth updates every 100 ms, a quote and a trade beside each; at `gap_at` updates are lost and a snapshot comes.

    The mid moves a tick where a best queue empties; takers buy before it rises and sell before it falls.
    """
    rng = np.random.default_rng(seed)
    lines: list[str] = []
    centre, last_id, trade_id = 10_000, 100, 0
    queue = [5.0, 5.0]

    def say(now_ns: int, message: dict) -> None:
        lines.append(f"{now_ns} {json.dumps(message)}")

    def levels() -> tuple[dict[int, float], dict[int, float]]:
        bids = {centre - 1 - k: queue[0] if k == 0 else 3.0 + k for k in range(5)}
        asks = {centre + 1 + k: queue[1] if k == 0 else 3.0 + k for k in range(5)}
        return bids, asks

    def texts(side: dict[int, float]) -> list[list[str]]:
        return [[f"{tick * TICK:.2f}", f"{size:.3f}"] for tick, size in side.items()]

    def snapshot(now_ns: int) -> None:
        bids, asks = levels()
        say(now_ns, {"lastUpdateId": last_id, "bids": texts(bids), "asks": texts(asks)})

    say(STAMP, depth_update(last_id, last_id, STAMP, [], []))
    snapshot(STAMP + 1)
    known = levels()
    for i in range(1, messages + 1):
        now_ns = STAMP + i * STEP_NS
        queue = [max(0.0, round(size + rng.normal(0.0, 1.2), 3)) for size in queue]
        side = 0
        if min(queue) == 0.0:
            side = 1 if queue[1] < queue[0] else -1
            centre += side
            queue = [float(np.round(rng.uniform(2.0, 7.0), 3)) for _ in range(2)]
        trade_id += 1
        taker = side or int(rng.choice([-1, 1]))
        price = (centre - side) + taker  # at the quote that stood before
        event = {"e": "trade", "E": (now_ns - 10**6) // 10**6, "T": (now_ns - 10**6) // 10**6, "s": "XYZ"}
        event |= {"t": trade_id, "p": f"{price * TICK:.2f}", "q": f"{rng.integers(1, 30) / 10:.3f}", "m": taker < 0}
        say(now_ns - 10**6, event)
        now = levels()
        changes = []
        for before, after in zip(known, now, strict=True):
            changed = {tick: after.get(tick, 0.0) for tick in {*before, *after} if before.get(tick) != after.get(tick)}
            changes.append(texts(changed))
        known = now
        first, last_id = last_id + 1, last_id + 2
        if gap_at is not None and gap_at <= i < gap_at + 20:
            if i == gap_at + 19:
                say(now_ns, depth_update(first, last_id, now_ns, *changes))  # the gap is seen here
                snapshot(now_ns + 1)
            continue
        say(now_ns, depth_update(first, last_id, now_ns, *changes))
        (bid, bid_size), (ask, ask_size) = (texts(one)[0] for one in now)
        quote = {"u": last_id, "s": "XYZ", "b": bid, "B": bid_size, "a": ask, "A": ask_size}
        say(now_ns + 2, quote)
    return write(path, "\n".join(lines) + "\n")


def depth_update(first: int, last: int, now_ns: int, bids: list, asks: list) -> dict:
    """A depth update of spot."""
    return {"e": "depthUpdate", "E": now_ns // 10**6, "s": "XYZ", "U": first, "u": last, "b": bids, "a": asks}
