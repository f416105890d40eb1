"""The slow, obvious oracle of the flow metrics: one event at a time, plain Python, straight from the definitions.

A book is a dict of lists by level: bid_price, bid_size, ask_price, ask_size.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

nan, inf = math.nan, math.inf


def event_flow(before: dict, now: dict) -> list[float]:
    """e = e^b - e^a by level; an absent level has the worst price there is and size 0."""
    flows = []
    for level in range(len(now["bid_price"])):
        numbers = [(book[f"{side}_price"][level], book[f"{side}_size"][level]) for book in (before, now)
                   for side in ("bid", "ask")]  # fmt: skip
        if any(not (size == 0 or (0 < size < inf and math.isfinite(price))) for price, size in numbers):
            flows.append(nan)
            continue
        worst = (-inf, inf, -inf, inf)
        (pb0, qb0), (pa0, qa0), (pb1, qb1), (pa1, qa1) = (
            (price if size > 0 else bad, size) for (price, size), bad in zip(numbers, worst, strict=True)
        )
        bid = ask = 0.0
        if pb1 >= pb0:
            bid += qb1
        if pb1 <= pb0:
            bid -= qb0
        if pa1 <= pa0:
            ask += qa1
        if pa1 >= pa0:
            ask -= qa0
        flows.append(bid - ask)
    return flows


def interval_flow(times, books: list[dict], edges, tick_size) -> list[dict]:
    """For each interval (a, b]: flow and mean depth by level, number of events, change of mid in ticks."""
    out = []
    for start, stop in pairwise(edges):
        # The first book of all has no flow, and is no event.
        rows = [row for row, time in enumerate(times) if start < time <= stop and row > 0]
        levels = range(len(books[0]["bid_price"]))
        whole = times[0] <= start and stop <= times[-1]
        seen = [books[row] for row in rows] or [books[row] for row in [as_of(times, start)] if row is not None]
        flows = [event_flow(books[row - 1], books[row]) for row in rows]
        depths = [[(book["bid_size"][k] + book["ask_size"][k]) / 2 for book in seen] for k in levels]
        change = (mid_at(times, books, stop) - mid_at(times, books, start)) / tick_size
        out.append(
            {
                "ofi": [sum(flow[level] for flow in flows) if whole else nan for level in levels],
                "depth": [sum(depth) / len(depth) if whole else nan for depth in depths],
                "num_events": len(flows),
                "mid_change": change if whole else nan,
            }
        )
    return out


def as_of(times, time) -> int | None:
    """Row of the last book at or before a time."""
    rows = [row for row, stamp in enumerate(times) if stamp <= time]
    return rows[-1] if rows else None


def mid_at(times, books: list[dict], time) -> float:
    """Mid of the last book at or before a time."""
    row = as_of(times, time)
    if row is None or not (books[row]["bid_size"][0] > 0 and books[row]["ask_size"][0] > 0):
        return nan
    return (books[row]["bid_price"][0] + books[row]["ask_price"][0]) / 2


def first_component(flow: list[list[float]]) -> tuple[np.ndarray, float]:
    """Weights (sum of absolute values 1, sum positive) and share of variance, by power iteration."""
    rows = np.array([row for row in flow if all(math.isfinite(x) for x in row)])
    covariance = np.zeros((rows.shape[1],) * 2)
    for row in rows:
        covariance += np.outer(row - rows.mean(0), row - rows.mean(0)) / len(rows)
    vector = np.ones(rows.shape[1]) + 0.01 * np.arange(rows.shape[1])
    for _ in range(5000):
        vector = covariance @ vector
        vector /= np.linalg.norm(vector)
    vector *= 1 if vector.sum() > 0 else -1
    return vector / np.abs(vector).sum(), float(vector @ covariance @ vector / np.trace(covariance))


def imbalance_bin(bid_size: float, ask_size: float, bins: int) -> int:
    """Steps from the middle of the bin of I = q^b / (q^b + q^a): negative where sellers have more."""
    share = max(bid_size, ask_size) / (bid_size + ask_size)
    sign = (bid_size > ask_size) - (bid_size < ask_size)
    if bins % 2:
        # Bins of the upper half, each open below and closed above: (1/2 + (2k-1)/2n, 1/2 + (2k+1)/2n].
        steps = next(k for k in range(bins) if share <= 0.5 + (2 * k + 1) / (2 * bins) + 1e-12)
    else:
        steps = next(k for k in range(bins) if share <= 0.5 + k / bins + 1e-12)
    return sign * steps


def stoikov(
    quotes: list[tuple[int, float, int, float]], bins: int, max_spread: int, num_terms: int, shrinkage: float
) -> dict:
    """G* in ticks by (spread, steps from the middle bin), from (bid tick, size, ask tick, size), one step each.

    `shrinkage`: so many transitions more from each cell, and from its mirror image, after which nothing ever moves.
    """
    cells = [(min(ask - bid, max_spread), imbalance_bin(qb, qa, bins)) for bid, qb, ask, qa in quotes]
    mids = [(bid + ask) / 2 for bid, _, ask, _ in quotes]
    steps = []
    for k in range(len(quotes) - 1):
        (s0, i0), (s1, i1), move = cells[k], cells[k + 1], mids[k + 1] - mids[k]
        steps += [((s0, i0), (s1, i1), move), ((s0, -i0), (s1, -i1), -move)]
    names = sorted({cell for step in steps for cell in step[:2]})
    index = {cell: k for k, cell in enumerate(names)}
    size = len(names)
    q, r2, r1k, seen = np.zeros((size, size)), np.zeros((size, size)), np.zeros(size), np.zeros(size)
    for start, stop, move in steps:
        seen[index[start]] += 1
        r1k[index[start]] += move
        (q if move == 0 else r2)[index[start], index[stop]] += 1
    seen += 2 * shrinkage
    q, r2, r1k = q / seen[:, None], r2 / seen[:, None], r1k / seen
    # (1 - Q)^-1 as the sum of the powers of Q.
    visits, power = np.eye(size), np.eye(size)
    for _ in range(20_000):
        power = power @ q
        visits += power
        if power.max() < 1e-18:
            break
    term = visits @ r1k
    total = term.copy()
    for _ in range(num_terms - 1):
        term = visits @ r2 @ term
        total += term
    return {cell: total[index[cell]] for cell in names}
