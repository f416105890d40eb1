"""The slow, obvious oracle of the bars: one trade after the other, plain Python, straight from the definitions.

A trade is (time_ns, price, size, side); numbers keep their type, so that float32 scalars give float32 sums. A function
that cuts returns the bars as lists of trades; `aggregate` makes one bar of one list.
"""

from __future__ import annotations

import math
from fractions import Fraction


def aggregate(trades, kind) -> dict:
    """One bar; `kind` makes the zeros (float, numpy.float32)."""
    bar = {name: kind(0) for name in ("volume", "notional", "buy_volume", "sell_volume", "unknown_volume")}
    bar |= {"count": 0, "buy_count": 0, "sell_count": 0}
    bar |= {name: kind(math.nan) for name in ("open", "high", "low", "close", "vwap")}
    for _, price, size, side in trades:
        if bar["count"] == 0:
            bar["open"] = bar["high"] = bar["low"] = price
        bar["high"] = max(bar["high"], price)
        bar["low"] = min(bar["low"], price)
        bar["close"] = price
        bar["volume"] += size
        bar["notional"] += price * size
        bar["count"] += 1
        bar[{1: "buy_volume", -1: "sell_volume", 0: "unknown_volume"}[int(side)]] += size
        if side != 0:
            bar[{1: "buy_count", -1: "sell_count"}[int(side)]] += 1
    if bar["volume"] > 0:
        bar["vwap"] = bar["notional"] / bar["volume"]
    return bar


def time_bars(trades, dt, origin=0):
    """Every interval from the first trade to the last: (start, end, trades)."""
    if not trades:
        return []
    start = origin + (int(trades[0][0]) - origin) // dt * dt
    bars = []
    while start <= int(trades[-1][0]):
        bars.append((start, start + dt, []))
        start += dt
    for trade in trades:
        bars[(int(trade[0]) - bars[0][0]) // dt][2].append(trade)
    return bars


def tick_bars(trades, number):
    return [trades[i : i + number] for i in range(0, len(trades), number)]


def closed_by(trades, closes):
    """Cut after each trade of which `closes(trade)` is true."""
    bars, bar = [], []
    for trade in trades:
        bar.append(trade)
        if closes(trade):
            bars.append(bar)
            bar = []
    return [*bars, bar] if bar else bars


def threshold_bars(trades, threshold, amount):
    """A bar closes when the sum of `amount(trade)` reaches the threshold; exact if the amounts are Fractions."""
    total = 0

    def closes(trade):
        nonlocal total
        total = total + amount(trade)
        if total >= threshold:
            total = 0
            return True
        return False

    return closed_by(trades, closes)


def decimal_fraction(number) -> Fraction:
    """The decimal number that is meant by a float."""
    return Fraction(repr(float(number)))


def imbalance_bars(trades, signed, expected_trades, expected_imbalance, gain, least, most, kind):
    """A bar closes when |theta| >= E[T] |E[x]|; both expectations move by `gain` to what the bar was."""
    theta, number = kind(0), 0

    def closes(trade):
        nonlocal theta, number, expected_trades, expected_imbalance
        theta, number = theta + signed(trade), number + 1
        over = abs(theta) >= expected_trades * abs(expected_imbalance)
        if (over and number >= least) or number >= most:
            expected_trades = expected_trades + gain * (kind(number) - expected_trades)
            expected_imbalance = expected_imbalance + gain * (theta / kind(number) - expected_imbalance)
            theta, number = kind(0), 0
            return True
        return False

    return closed_by(trades, closes)
