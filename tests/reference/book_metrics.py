"""The slow, obvious oracle of the book metrics: one book at a time, plain Python, straight from the formulas.

A book is two lists of (price, size), best first, without absent levels. Every function returns a float or a dict.
"""

from __future__ import annotations

import math

import numpy as np

nan = math.nan


def all_metrics(bids, asks, tick_size, parameters) -> dict[str, float]:
    """Every column of `quantjax.lob.measures.columns`, by name."""
    both = bool(bids and asks)
    mid = (bids[0][0] + asks[0][0]) / 2 if both else nan
    spread = asks[0][0] - bids[0][0] if both else nan
    out = {
        "mid": mid,
        "spread": spread,
        "spread_ticks": spread / tick_size,
        "spread_bps": spread / mid * 1e4,
        "microprice": (asks[0][0] * bids[0][1] + bids[0][0] * asks[0][1]) / (bids[0][1] + asks[0][1]) if both else nan,
        "queue_imbalance": imbalance([bids[0][1]], [asks[0][1]]) if both else nan,
        "decayed_imbalance": imbalance(
            [math.exp(-parameters.decay * i) * q for i, (_, q) in enumerate(bids)],
            [math.exp(-parameters.decay * i) * q for i, (_, q) in enumerate(asks)],
        ),
        "bid_levels": len(bids),
        "ask_levels": len(asks),
        "crossed": both and asks[0][0] < bids[0][0],
        "locked": both and asks[0][0] == bids[0][0],
        "one_sided": not both,
    }
    for levels in parameters.levels:
        b, a = bids[:levels], asks[:levels]
        out[f"depth_imbalance_{levels}"] = imbalance([q for _, q in b], [q for _, q in a])
        out[f"bid_vwap_{levels}"], out[f"ask_vwap_{levels}"] = vwap(b), vwap(a)
        quantity_b, quantity_a = sum(q for _, q in b), sum(q for _, q in a)
        out[f"vamp_{levels}"] = (
            (vwap(b) * quantity_a + vwap(a) * quantity_b) / (quantity_a + quantity_b) if both else nan
        )
    at_mid = both and any(p == mid for p, _ in bids + asks)
    out["inverse_distance_imbalance"] = (
        imbalance([q / abs(p - mid) for p, q in bids], [q / abs(p - mid) for p, q in asks])
        if both and not at_mid
        else nan
    )
    scale = parameters.distance_bps * 1e-4 * mid
    out["exponential_distance_imbalance"] = (
        imbalance(
            [q * math.exp(-abs(p - mid) / scale) for p, q in bids],
            [q * math.exp(-abs(p - mid) / scale) for p, q in asks],
        )
        if both
        else nan
    )
    for bps in parameters.bands_bps:
        limit = mid * bps * 1e-4 * (1 + 1e-12)
        sides = (("bid", bids), ("ask", asks))
        inside = {name: [(p, q) for p, q in side if abs(p - mid) <= limit] for name, side in sides}
        for name, levels in inside.items():
            out[f"{name}_depth_{bps:g}bps"] = sum(q for _, q in levels) if both else nan
            out[f"{name}_depth_quote_{bps:g}bps"] = sum(p * q for p, q in levels) if both else nan
        out[f"band_imbalance_{bps:g}bps"] = (
            imbalance([p * q for p, q in inside["bid"]], [p * q for p, q in inside["ask"]]) if both else nan
        )
    for notional in parameters.notionals:
        prices = {}
        for name, side, sign in (("buy", asks, 1), ("sell", bids, -1)):
            price, unfilled = fill_notional(side, notional)
            prices[name] = price if unfilled == 0 else nan
            out[f"{name}_vwap_{notional:g}"] = price
            out[f"{name}_impact_bps_{notional:g}"] = sign * (price - mid) / mid * 1e4
            out[f"{name}_unfilled_{notional:g}"] = unfilled
        out[f"round_trip_cost_bps_{notional:g}"] = (prices["buy"] - prices["sell"]) / mid * 1e4
    for bps in parameters.slippages_bps:
        out[f"buy_fillable_{bps:g}bps"] = fillable(asks, mid, bps, 1) if both else nan
        out[f"sell_fillable_{bps:g}bps"] = fillable(bids, mid, bps, -1) if both else nan
    sizes = {"bid": [q for _, q in bids], "ask": [q for _, q in asks]}
    out["joint_entropy"] = entropy(sizes["bid"] + sizes["ask"])
    for name, side in (("bid", bids), ("ask", asks)):
        out |= {
            f"{name}_{key}": value for key, value in shape(side, mid, tick_size, -1 if name == "bid" else 1).items()
        }
        out[f"{name}_entropy"] = entropy(sizes[name])
        total = sum(sizes[name])
        out[f"{name}_concentration"] = sum((q / total) ** 2 for q in sizes[name]) if side else nan
        out[f"{name}_top_share"] = sizes[name][0] / total if side else nan
    return out


def imbalance(bid: list[float], ask: list[float]) -> float:
    total = sum(bid) + sum(ask)
    return (sum(bid) - sum(ask)) / total if total else nan


def vwap(side) -> float:
    return sum(p * q for p, q in side) / sum(q for _, q in side) if side else nan


def fill_notional(side, notional: float) -> tuple[float, float]:
    """(average price, unfilled notional): the recursion dq = min(q, r / p) of the notes."""
    remaining, quantity, paid = notional, 0.0, 0.0
    for price, size in side:
        part = min(size, remaining / price)
        quantity += part
        paid += part * price
        remaining = remaining - part * price if part == size else 0.0
    return (paid / quantity if quantity else nan), remaining


def fillable(side, mid: float, bps: float, sign: int) -> float:
    """By bisection on `fill_notional`, the definition of the inverse."""
    visible = sum(p * q for p, q in side)
    impact = lambda notional: sign * (fill_notional(side, notional)[0] - mid) / mid * 1e4  # noqa: E731
    bps += 1e-9  # a price at the limit is within it
    if sign * (side[0][0] - mid) / mid * 1e4 > bps:
        return 0.0
    if impact(visible) <= bps:
        return visible
    low, high = 0.0, visible
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if impact(middle) <= bps else (low, middle)
    return low


def entropy(sizes: list[float]) -> float:
    total = sum(sizes)
    return -sum(q / total * math.log(q / total) for q in sizes) if sizes else nan


def shape(side, mid: float, tick_size: float, sign: int) -> dict[str, float]:
    names = ("slope", "origin_slope", "convexity", "naes_skjeltorp_slope", "gap_max_ticks", "gap_mean_ticks")
    out = dict.fromkeys((*names, "centre_of_mass_bps", "reach_bps"), nan)
    prices, sizes = np.array([p for p, _ in side]), np.array([q for _, q in side])
    gaps = np.abs(np.diff(prices)) / tick_size
    if len(side) > 1:
        out |= {"gap_max_ticks": gaps.max(), "gap_mean_ticks": gaps.mean()}
    if math.isnan(mid):
        return out
    x, y = sign * (prices - mid) / mid * 1e4, np.cumsum(sizes)
    away = np.abs(x)
    out["origin_slope"] = (x @ y) / (x @ x) if x @ x else nan
    out["centre_of_mass_bps"] = (sizes @ away) / sizes.sum()
    out["reach_bps"] = away[-1]
    if len(side) >= 2:
        out["slope"] = np.linalg.lstsq(np.stack([np.ones_like(x), x], 1), y, rcond=None)[0][1]
    if len(side) >= 3:
        u = (x - x.mean()) / x.std()
        out["convexity"] = np.linalg.lstsq(np.stack([np.ones_like(u), u, u * u], 1), y, rcond=None)[0][2] / x.var()
    if (y > 1).all() and prices[0] != mid:
        v = np.log(y)
        terms = [v[0] / abs(prices[0] / mid - 1)]
        terms += [(v[t + 1] / v[t] - 1) / abs(prices[t + 1] / prices[t] - 1) for t in range(len(v) - 1)]
        out["naes_skjeltorp_slope"] = sum(terms) / len(v)
    return out
