"""Every book metric in plain vectorised numpy on `[time, level]`: the yardstick of benchmarks and reports.

Written for speed within numpy: the metrics share masks and cumulative sums, and no Python loop runs over books. Its
results agree with `quantjax.lob.measure`, which a test and each benchmark check.
"""

from __future__ import annotations

import numpy as np

from quantjax.lob.book import Book
from quantjax.lob.measures import BookMetrics

__all__ = ["measure_numpy"]


def measure_numpy(book: Book, tick_size, parameters: BookMetrics) -> dict[str, np.ndarray]:
    """Every column of `quantjax.lob.measures.columns`, by name, each `[time]`."""
    with np.errstate(all="ignore"):
        return _measure(book, tick_size, parameters)


def _measure(book: Book, tick_size, parameters: BookMetrics) -> dict[str, np.ndarray]:
    sides = {
        name: _Side(np.asarray(price), np.asarray(size), sign)
        for name, price, size, sign in (
            ("bid", book.bid_price, book.bid_size, -1.0),
            ("ask", book.ask_price, book.ask_size, 1.0),
        )
    }
    bid, ask = sides["bid"], sides["ask"]
    both = bid.present[:, 0] & ask.present[:, 0]
    best_bid, best_ask = bid.price[:, 0], ask.price[:, 0]
    mid = np.where(both, 0.5 * (best_bid + best_ask), np.nan)
    spread = np.where(both, best_ask - best_bid, np.nan)
    top = np.where(both, bid.size[:, 0] + ask.size[:, 0], np.nan)
    out = {
        "mid": mid,
        "spread": spread,
        "spread_ticks": spread / tick_size,
        "spread_bps": 1e4 * spread / mid,
        "microprice": best_bid + bid.size[:, 0] / top * spread,
        "queue_imbalance": (bid.size[:, 0] - ask.size[:, 0]) / top,
    }
    for levels in parameters.levels:
        size_b, size_a = bid.cumulative(levels), ask.cumulative(levels)
        vwap_b, vwap_a = bid.vwap(levels), ask.vwap(levels)
        out[f"depth_imbalance_{levels}"] = _imbalance(size_b, size_a)
        out[f"bid_vwap_{levels}"], out[f"ask_vwap_{levels}"] = vwap_b, vwap_a
        out[f"vamp_{levels}"] = (vwap_b * size_a + vwap_a * size_b) / (size_a + size_b)
    decay = np.exp(-parameters.decay * np.arange(bid.size.shape[1]))
    out["decayed_imbalance"] = _imbalance(bid.size @ decay, ask.size @ decay)
    distances = {
        name: np.where(side.present, np.abs(side.price - mid[:, None]), np.nan) for name, side in sides.items()
    }
    locked = spread == 0
    out["inverse_distance_imbalance"] = np.where(
        both & ~locked,
        _imbalance(*(np.nansum(side.size / distances[name], axis=1) for name, side in sides.items())),
        np.nan,
    )
    scale = (parameters.distance_bps * 1e-4 * mid)[:, None]
    out["exponential_distance_imbalance"] = np.where(
        both,
        _imbalance(*(np.nansum(side.size * np.exp(-distances[name] / scale), axis=1) for name, side in sides.items())),
        np.nan,
    )
    for bps in parameters.bands_bps:
        limit = (mid * (1e-4 * bps + 4 * np.finfo(mid.dtype).eps))[:, None]
        for name, side in sides.items():
            inside = distances[name] <= limit
            out[f"{name}_depth_{bps:g}bps"] = np.where(both, (side.size * inside).sum(axis=1), np.nan)
            out[f"{name}_depth_quote_{bps:g}bps"] = np.where(both, (side.notional * inside).sum(axis=1), np.nan)
        out[f"band_imbalance_{bps:g}bps"] = _imbalance(
            out[f"bid_depth_quote_{bps:g}bps"], out[f"ask_depth_quote_{bps:g}bps"]
        )
    for notional in parameters.notionals:
        for name, side in (("buy", ask), ("sell", bid)):
            price, unfilled = side.fill(notional)
            out[f"{name}_vwap_{notional:g}"] = price
            out[f"{name}_impact_bps_{notional:g}"] = side.sign * 1e4 * (price - mid) / mid
            out[f"{name}_unfilled_{notional:g}"] = unfilled
        filled = (out[f"buy_unfilled_{notional:g}"] == 0) & (out[f"sell_unfilled_{notional:g}"] == 0)
        cost = 1e4 * (out[f"buy_vwap_{notional:g}"] - out[f"sell_vwap_{notional:g}"]) / mid
        out[f"round_trip_cost_bps_{notional:g}"] = np.where(filled, cost, np.nan)
    for bps in parameters.slippages_bps:
        out[f"buy_fillable_{bps:g}bps"] = ask.fillable(mid, bps)
        out[f"sell_fillable_{bps:g}bps"] = bid.fillable(mid, bps)
    for name, side in sides.items():
        shapes = side.shape(mid, distances[name], tick_size)
        out |= {f"{name}_{key}": value for key, value in shapes.items()}
    total = {name: side.cumulative_size[:, -1] for name, side in sides.items()}
    logs = {
        name: (side.size * np.log(np.where(side.present, side.size, 1.0))).sum(axis=1) for name, side in sides.items()
    }
    total["joint"], logs["joint"] = total["bid"] + total["ask"], logs["bid"] + logs["ask"]
    for name in ("bid", "ask", "joint"):
        out[f"{name}_entropy"] = np.maximum(np.log(total[name]) - logs[name] / total[name], 0.0)
        out[f"{name}_entropy"][total[name] == 0] = np.nan
    out["crossed"], out["locked"], out["one_sided"] = both & (spread < 0), both & locked, ~both
    out["valid"] = bid.valid() & ask.valid()
    return out


def _imbalance(bid: np.ndarray, ask: np.ndarray) -> np.ndarray:
    return (bid - ask) / (bid + ask)


class _Side:
    """One side of all books, with what the metrics share computed once."""

    def __init__(self, price: np.ndarray, size: np.ndarray, sign: float) -> None:
        self.sign = sign
        self.present = size > 0
        self.raw_size = size
        self.size = np.where(self.present, size, 0.0)
        self.price = np.where(self.present, price, 1.0)
        self.notional = self.price * self.size
        self.offset = self.size * (self.price - self.price[:, :1])
        self.cumulative_size = np.cumsum(self.size, axis=1)
        self.cumulative_notional = np.cumsum(self.notional, axis=1)
        self.cumulative_offset = np.cumsum(self.offset, axis=1)
        self.count = self.present.sum(axis=1)

    def cumulative(self, levels: int) -> np.ndarray:
        return self.cumulative_size[:, min(levels, self.size.shape[1]) - 1]

    def vwap(self, levels: int) -> np.ndarray:
        upto = min(levels, self.size.shape[1]) - 1
        return self.price[:, 0] + self.cumulative_offset[:, upto] / self.cumulative_size[:, upto]

    def fill(self, notional: float) -> tuple[np.ndarray, np.ndarray]:
        """(average price, unfilled notional) of an order that takes `notional` from this side."""
        whole = self.cumulative_notional <= notional
        count = whole.sum(axis=1)
        last = np.minimum(count, self.size.shape[1] - 1)
        rows = np.arange(len(count))
        taken = np.where(count > 0, self.cumulative_notional[rows, np.maximum(count - 1, 0)], 0.0)
        quantity = np.where(count > 0, self.cumulative_size[rows, np.maximum(count - 1, 0)], 0.0)
        excess = np.where(count > 0, self.cumulative_offset[rows, np.maximum(count - 1, 0)], 0.0)
        partial = count < self.size.shape[1]
        part = np.where(partial, (notional - taken) / self.price[rows, last], 0.0)
        quantity = quantity + part
        excess = excess + part * (self.price[rows, last] - self.price[:, 0])
        return self.price[:, 0] + excess / quantity, np.where(partial, 0.0, notional - taken)

    def fillable(self, mid: np.ndarray, bps: float) -> np.ndarray:
        limit = mid * (1 + self.sign * (1e-4 * bps + 4 * np.finfo(mid.dtype).eps))
        slack = self.sign * (limit[:, None] * self.cumulative_size - self.cumulative_notional)
        rows = np.arange(len(mid))
        count = np.minimum.accumulate(slack >= 0, axis=1).sum(axis=1)
        before = np.maximum(count - 1, 0)
        taken = np.where(count > 0, self.cumulative_notional[rows, before], 0.0)
        left = np.where(count > 0, slack[rows, before], 0.0)
        marginal = self.price[rows, np.minimum(count, self.size.shape[1] - 1)]
        part = left / (self.sign * (1 - limit / marginal))
        whole = count == self.size.shape[1]
        return np.where(np.isnan(mid), np.nan, np.where(whole, taken, taken + part))

    def shape(self, mid: np.ndarray, distance: np.ndarray, tick_size) -> dict[str, np.ndarray]:
        count, present, y = self.count, self.present, self.cumulative_size
        known = ~np.isnan(mid)
        scale = (1e4 / mid)[:, None]
        away = np.where(present, distance * scale, 0.0)
        x = np.where(present, self.sign * (self.price - mid[:, None]) * scale, 0.0)
        total = y[:, -1]
        u = np.where(present, x - (x.sum(axis=1) / np.maximum(count, 1))[:, None], 0.0)
        square = u * u
        sum_square = square.sum(axis=1)
        tilt = (square * u).sum(axis=1) / sum_square
        q = np.where(present, square - (sum_square / np.maximum(count, 1))[:, None] - tilt[:, None] * u, 0.0)
        gaps = np.where(present[:, 1:] & present[:, :-1], np.abs(np.diff(self.price, axis=1)), 0.0)
        logs = np.log(np.where(y > 1, y, np.nan))
        steps = np.diff(logs, axis=1) * self.price[:, :-1] / (logs[:, :-1] * np.abs(np.diff(self.price, axis=1)))
        first = logs[:, 0] * mid / np.abs(self.price[:, 0] - mid)
        elasticity = (first + np.where(present[:, 1:], steps, 0.0).sum(axis=1)) / count
        shape = {
            "slope": np.where(count >= 2, (u * y).sum(axis=1) / sum_square, np.nan),
            "origin_slope": (x * y).sum(axis=1) / (x * x).sum(axis=1),
            "convexity": np.where(count >= 3, (q * y).sum(axis=1) / (q * q).sum(axis=1), np.nan),
            "naes_skjeltorp_slope": np.where(np.isinf(elasticity), np.nan, elasticity),
            "centre_of_mass_bps": (self.size * away).sum(axis=1) / total,
            "reach_bps": away[np.arange(len(count)), np.maximum(count - 1, 0)],
        }
        shape = {name: np.where(known, value, np.nan) for name, value in shape.items()}
        return shape | {
            "concentration": (self.size * self.size).sum(axis=1) / (total * total),
            "top_share": self.size[:, 0] / total,
            "gap_max_ticks": np.where(count >= 2, gaps.max(axis=1), np.nan) / tick_size,
            "gap_mean_ticks": np.where(count >= 2, gaps.sum(axis=1) / (count - 1), np.nan) / tick_size,
            "levels": count,
        }

    def valid(self) -> np.ndarray:
        finite = (self.raw_size >= 0) & (self.size < np.inf) & (self.price > 0) & (self.price < np.inf)
        in_order = self.present[:, :-1] & (self.sign * np.diff(self.price, axis=1) > 0)
        return np.all(finite, axis=1) & np.all(~self.present[:, 1:] | in_order, axis=1)
