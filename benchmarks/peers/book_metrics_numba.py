"""Every book metric in one hand-written numba loop: books in parallel, levels one by one, `[time, level]`.

The honest CPU bar for `quantjax.lob.measure`: written for speed, with early exits where a taker's order is filled.
"""

from __future__ import annotations

import math

import jax
import numba
import numpy as np

__all__ = ["book_metrics"]


def book_metrics(book, tick_size: float, parameters) -> np.ndarray:
    """`[column, time]`, the columns in the order of `quantjax.lob.measures.columns`, flags as 0 and 1."""
    bid_price, bid_size, ask_price, ask_size = jax.tree.leaves(jax.tree.map(np.asarray, book))
    levels, bands = np.asarray(parameters.levels), np.asarray(parameters.bands_bps)
    notionals, slippages = np.asarray(parameters.notionals), np.asarray(parameters.slippages_bps)
    count = 38 + 4 * len(levels) + 5 * len(bands) + 7 * len(notionals) + 2 * len(slippages)
    out = np.empty((count, len(bid_price)), bid_price.dtype)
    decays = np.exp(-parameters.decay * np.arange(book.levels))
    sides = (bid_price, bid_size, ask_price, ask_size)
    _all_books(sides, tick_size, levels, bands, notionals, slippages, decays, parameters.distance_bps, out)
    return out


@numba.njit(inline="always", error_model="numpy")
def _ratio(a, b):
    return a / b if b != 0 else math.nan


@numba.njit(inline="always", error_model="numpy")
def _take_notional(price, size, notional, mid, side):
    """(vwap, impact in bps, unfilled) of a taking order."""
    remaining, quantity, excess, best = notional, 0.0, 0.0, price[0]
    for i in range(price.shape[0]):
        if size[i] > 0:
            value = price[i] * size[i]
            if value >= remaining:
                part = remaining / price[i]
                quantity += part
                excess += part * (price[i] - best)
                remaining = 0.0
                break
            quantity += size[i]
            excess += size[i] * (price[i] - best)
            remaining -= value
    vwap = best + _ratio(excess, quantity) if size[0] > 0 else math.nan
    return vwap, side * 1e4 * (vwap - mid) / mid, remaining


@numba.njit(inline="always", error_model="numpy")
def _fillable(price, size, limit, side):
    slack, filled = 0.0, 0.0
    for i in range(price.shape[0]):
        if size[i] > 0:
            value = price[i] * size[i]
            after = slack + side * (limit * size[i] - value)
            if after < 0:
                return filled + slack / (side * (1 - limit / price[i]))
            slack = after
            filled += value
    return filled


@numba.njit(inline="always", error_model="numpy")
def _shape(price, size, mid, levels, tick, sign):
    """slope, origin slope, convexity, Naes-Skjeltorp, entropy terms, concentration, top share, gaps, mass, reach."""
    n, total, squares, logs, mass = 0, 0.0, 0.0, 0.0, 0.0
    sum_x, sum_xx, sum_xy, elasticity, log_before = 0.0, 0.0, 0.0, 0.0, 0.0
    gap_max, gap_sum, reach = 0.0, 0.0, 0.0
    scale = 1e4 / mid
    for i in range(levels):
        q = size[i]
        if q > 0:
            n += 1
            total += q
            squares += q * q
            logs += q * math.log(q)
            x = sign * (price[i] - mid) * scale
            reach = abs(x)
            mass += q * reach
            sum_x += x
            sum_xx += x * x
            sum_xy += x * total
            log_here = math.log(total) if total > 1 else math.nan
            if i == 0:
                elasticity = _ratio(log_here, abs(price[0] / mid - 1))
            else:
                gap = abs(price[i] - price[i - 1])
                elasticity += (log_here / log_before - 1) / (gap / price[i - 1])
                gap_max = max(gap_max, gap)
                gap_sum += gap
            log_before = log_here
    mean_x = sum_x / max(n, 1)
    s2, s3, s4, s2y, s1y, sy, cumulative = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(levels):
        if size[i] > 0:
            cumulative += size[i]
            u = sign * (price[i] - mid) * scale - mean_x
            s2 += u * u
            s3 += u * u * u
            s4 += u * u * u * u
            sy += cumulative
            s1y += u * cumulative
            s2y += u * u * cumulative
    slope = _ratio(s1y, s2) if n >= 2 else math.nan
    tilt = _ratio(s3, s2)
    mean_square = s2 / max(n, 1)
    convexity = _ratio(s2y - mean_square * sy - tilt * s1y, s4 - n * mean_square**2 - tilt * s3) if n >= 3 else math.nan
    several = n >= 2
    return (
        slope,
        _ratio(sum_xy, sum_xx),
        convexity,
        _ratio(elasticity, n),
        float(n),
        total,
        logs,
        _ratio(squares, total * total),
        _ratio(size[0], total),
        gap_max / tick if several else math.nan,
        gap_sum / (n - 1) / tick if several else math.nan,
        _ratio(mass, total),
        reach,
    )


@numba.njit(inline="always", error_model="numpy")
def _valid(price, size, levels, direction):
    for i in range(levels):
        if not (size[i] >= 0 and size[i] < math.inf):
            return False
        if size[i] > 0:
            if not (price[i] > 0 and price[i] < math.inf):
                return False
            if i > 0 and not (size[i - 1] > 0 and direction * (price[i] - price[i - 1]) > 0):
                return False
    return True


@numba.njit(inline="always", error_model="numpy")
def _vwap_size(price, size, levels):
    total, offset = 0.0, 0.0
    for i in range(levels):
        if size[i] > 0:
            total += size[i]
            offset += size[i] * (price[i] - price[0])
    return (price[0] + _ratio(offset, total) if total > 0 else math.nan), total


@numba.njit(inline="always", error_model="numpy")
def _entropy(total, logs):
    return max(math.log(total) - logs / total, 0.0) if total > 0 else math.nan


@numba.njit(parallel=True, error_model="numpy", cache=True)
def _all_books(sides, tick, levels, bands, notionals, slippages, decays, distance_bps, out):
    bid_price, bid_size, ask_price, ask_size = sides
    depth = bid_price.shape[1]
    eps = 4 * np.finfo(bid_price.dtype).eps
    for t in numba.prange(bid_price.shape[0]):
        bp, bq, ap, aq = bid_price[t], bid_size[t], ask_price[t], ask_size[t]
        both = bq[0] > 0 and aq[0] > 0
        mid = 0.5 * (bp[0] + ap[0]) if both else math.nan
        spread = ap[0] - bp[0] if both else math.nan
        c = 0
        out[c, t] = mid
        out[c + 1, t] = spread
        out[c + 2, t] = spread / tick
        out[c + 3, t] = 1e4 * spread / mid
        out[c + 4, t] = bp[0] + bq[0] / (bq[0] + aq[0]) * spread if both else math.nan
        out[c + 5, t] = (bq[0] - aq[0]) / (bq[0] + aq[0]) if both else math.nan
        c += 6
        k_levels = levels.shape[0]
        for k in range(k_levels):
            upto = min(levels[k], depth)
            bid_vwap, bid_total = _vwap_size(bp, bq, upto)
            ask_vwap, ask_total = _vwap_size(ap, aq, upto)
            out[c + k, t] = _ratio(bid_total - ask_total, bid_total + ask_total)
            out[c + k_levels + 3 + k, t] = bid_vwap
            out[c + 2 * k_levels + 3 + k, t] = ask_vwap
            out[c + 3 * k_levels + 3 + k, t] = bid_vwap + _ratio(
                bid_total * (ask_vwap - bid_vwap), bid_total + ask_total
            )
        c += k_levels
        b_decay, a_decay, b_inverse, a_inverse, b_exp, a_exp = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        inverse_scale = 1e4 / (distance_bps * mid)
        for i in range(depth):
            if bq[i] > 0:
                distance = abs(bp[i] - mid)
                b_decay += decays[i] * bq[i]
                b_inverse += bq[i] / distance
                b_exp += bq[i] * math.exp(-distance * inverse_scale)
            if aq[i] > 0:
                distance = abs(ap[i] - mid)
                a_decay += decays[i] * aq[i]
                a_inverse += aq[i] / distance
                a_exp += aq[i] * math.exp(-distance * inverse_scale)
        out[c, t] = _ratio(b_decay - a_decay, b_decay + a_decay)
        locked = both and spread == 0
        out[c + 1, t] = _ratio(b_inverse - a_inverse, b_inverse + a_inverse) if both and not locked else math.nan
        out[c + 2, t] = _ratio(b_exp - a_exp, b_exp + a_exp) if both else math.nan
        c += 3 + 3 * k_levels
        k_bands = bands.shape[0]
        for k in range(k_bands):
            limit = mid * (1e-4 * bands[k] + eps)
            b_base, b_quote, a_base, a_quote = 0.0, 0.0, 0.0, 0.0
            for i in range(depth):
                if not (bq[i] > 0 and abs(bp[i] - mid) <= limit):
                    break
                b_base += bq[i]
                b_quote += bq[i] * bp[i]
            for i in range(depth):
                if not (aq[i] > 0 and abs(ap[i] - mid) <= limit):
                    break
                a_base += aq[i]
                a_quote += aq[i] * ap[i]
            out[c + k, t] = b_base if both else math.nan
            out[c + k_bands + k, t] = a_base if both else math.nan
            out[c + 2 * k_bands + k, t] = b_quote if both else math.nan
            out[c + 3 * k_bands + k, t] = a_quote if both else math.nan
            out[c + 4 * k_bands + k, t] = _ratio(b_quote - a_quote, b_quote + a_quote) if both else math.nan
        c += 5 * k_bands
        k_notionals = notionals.shape[0]
        for k in range(k_notionals):
            buy, buy_impact, buy_left = _take_notional(ap, aq, notionals[k], mid, 1.0)
            sell, sell_impact, sell_left = _take_notional(bp, bq, notionals[k], mid, -1.0)
            out[c + k, t] = buy
            out[c + k_notionals + k, t] = sell
            out[c + 2 * k_notionals + k, t] = buy_impact
            out[c + 3 * k_notionals + k, t] = sell_impact
            out[c + 4 * k_notionals + k, t] = buy_left
            out[c + 5 * k_notionals + k, t] = sell_left
            filled = buy_left == 0 and sell_left == 0
            out[c + 6 * k_notionals + k, t] = 1e4 * (buy - sell) / mid if filled else math.nan
        c += 7 * k_notionals
        k_slippages = slippages.shape[0]
        for k in range(k_slippages):
            x = 1e-4 * slippages[k]
            out[c + k, t] = _fillable(ap, aq, mid * (1 + (x + eps)), 1.0) if both else math.nan
            out[c + k_slippages + k, t] = _fillable(bp, bq, mid * (1 - (x + eps)), -1.0) if both else math.nan
        c += 2 * k_slippages
        bid = _shape(bp, bq, mid, depth, tick, -1.0)
        ask = _shape(ap, aq, mid, depth, tick, 1.0)
        for k in range(4):
            out[c + 2 * k, t] = bid[k] if both else math.nan
            out[c + 2 * k + 1, t] = ask[k] if both else math.nan
        c += 8
        out[c, t] = _entropy(bid[5], bid[6])
        out[c + 1, t] = _entropy(ask[5], ask[6])
        out[c + 2, t] = _entropy(bid[5] + ask[5], bid[6] + ask[6])
        out[c + 3, t] = bid[7]
        out[c + 4, t] = ask[7]
        out[c + 5, t] = bid[8]
        out[c + 6, t] = ask[8]
        out[c + 7, t] = bid[9]
        out[c + 8, t] = bid[10]
        out[c + 9, t] = ask[9]
        out[c + 10, t] = ask[10]
        out[c + 11, t] = bid[11] if both else math.nan
        out[c + 12, t] = ask[11] if both else math.nan
        out[c + 13, t] = bid[12] if both else math.nan
        out[c + 14, t] = ask[12] if both else math.nan
        c += 2
        out[c + 13, t] = bid[4]
        out[c + 14, t] = ask[4]
        out[c + 15, t] = 1.0 if both and ap[0] < bp[0] else 0.0
        out[c + 16, t] = 1.0 if locked else 0.0
        out[c + 17, t] = 0.0 if both else 1.0
        out[c + 18, t] = 1.0 if _valid(bp, bq, depth, -1.0) and _valid(ap, aq, depth, 1.0) else 0.0
