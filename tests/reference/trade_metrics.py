"""The slow, obvious oracle of the trade metrics: plain Python loops, straight from the definitions."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

nan = math.nan


def as_of_row(times, at, allow_equal) -> int:
    """Last row before `at`, by looking at every one."""
    row = -1
    for k, time in enumerate(times):
        if time < at or (allow_equal and time == at):
            row = k
    return row


def tick_test(prices) -> list[int]:
    signs = []
    for i, price in enumerate(prices):
        sign = 0
        if not math.isnan(price):
            # The last two different prices up to here, this one among them.
            seen = [p for p in prices[: i + 1] if not math.isnan(p)]
            for j in range(len(seen) - 1, 0, -1):
                if seen[j] != seen[j - 1]:
                    sign = 1 if seen[j] > seen[j - 1] else -1
                    break
        signs.append(sign)
    return signs


def lee_ready(prices, mids) -> list[int]:
    """Of whole numbers (half ticks), in which a price is at the mid or is not."""
    ticks = tick_test(prices)
    return [
        1 if price > mid else -1 if price < mid else tick for price, mid, tick in zip(prices, mids, ticks, strict=True)
    ]


def imbalance(sizes, sides) -> float:
    buy = sum(q for q, d in zip(sizes, sides, strict=True) if d == 1)
    sell = sum(q for q, d in zip(sizes, sides, strict=True) if d == -1)
    return (buy - sell) / (buy + sell) if buy + sell else nan


def roll(prices, demean) -> float:
    change = [b - a for a, b in pairwise(prices)]
    later, earlier = change[1:], change[:-1]
    n = len(later)
    mean_later, mean_earlier = (sum(later) / n, sum(earlier) / n) if demean else (0.0, 0.0)
    covariance = sum((a - mean_later) * (b - mean_earlier) for a, b in zip(later, earlier, strict=True)) / n
    return 2 * math.sqrt(-covariance) if covariance < 0 else 0.0 if covariance == 0 else nan


def least_squares(y, x, intercept) -> dict[str, float]:
    """By numpy's solver on the design matrix."""
    y, x = np.asarray(y, float), np.asarray(x, float)
    design = np.stack([x, np.ones_like(x)], axis=1) if intercept else x[:, None]
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    rest = y - design @ coefficients
    free = len(y) - design.shape[1]
    covariance = np.linalg.inv(design.T @ design) * (rest @ rest) / free
    around = y - y.mean() if intercept else y
    return {
        "coefficients": coefficients[0],
        "intercept": coefficients[1] if intercept else 0.0,
        "std_error": math.sqrt(covariance[0, 0]),
        "r_squared": 1 - (rest @ rest) / (around @ around),
    }


def buckets(lots, shares, known, bucket_lots) -> list[tuple[int, int, int, int]]:
    """(buy, sell, unknown, last row) of each full bucket: trades are poured in one after the other."""
    full, buy, sell, unknown, room = [], 0, 0, 0, bucket_lots
    for row, (count, share, is_known) in enumerate(zip(lots, shares, known, strict=True)):
        poured = 0  # of this trade
        bought = 0
        while poured < count:
            part = min(room, count - poured)
            poured += part
            if is_known:
                now_bought = round(float(share) * poured)  # as doubles, ties to even
                buy += now_bought - bought
                sell += part - (now_bought - bought)
                bought = now_bought
            else:
                unknown += part
            room -= part
            if room == 0:
                full.append((buy, sell, unknown, row))
                buy, sell, unknown, room = 0, 0, 0, bucket_lots
    return full


def vpin(buys, sells, bucket_volume, window) -> list[float]:
    values = []
    for k in range(len(buys)):
        if k < window - 1:
            values.append(nan)
            continue
        rows = range(k - window + 1, k + 1)
        values.append(sum(abs(buys[j] - sells[j]) for j in rows) / (window * bucket_volume))
    return values


def two_scale(log_prices, scale, adjusted) -> float:
    """The K subgrids one by one, as the paper defines them."""
    y = list(log_prices)
    n = len(y) - 1
    grids = [y[start::scale] for start in range(scale)]
    average = sum(sum((b - a) ** 2 for a, b in pairwise(g)) for g in grids) / scale
    every = sum((b - a) ** 2 for a, b in pairwise(y))
    mean_size = sum(len(g) - 1 for g in grids) / scale
    value = average - mean_size / n * every
    return value / (1 - mean_size / n) if adjusted else value


def bipower(returns, finite_sample) -> float:
    n = len(returns)
    value = math.pi / 2 * sum(abs(a) * abs(b) for a, b in zip(returns[1:], returns[:-1], strict=True))
    return value * n / (n - 1) if finite_sample else value


def corwin_schultz(high, low) -> list[float]:
    out = []
    k = 3 - 2 * math.sqrt(2)
    for j in range(len(high) - 1):
        beta = math.log(high[j] / low[j]) ** 2 + math.log(high[j + 1] / low[j + 1]) ** 2
        gamma = math.log(max(high[j], high[j + 1]) / min(low[j], low[j + 1])) ** 2
        alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / k - math.sqrt(gamma / k)
        out.append(2 * (math.exp(alpha) - 1) / (1 + math.exp(alpha)))
    return out
