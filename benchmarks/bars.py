"""Workload: bars from trades, 13 outputs: 10,000,000 trades of a symbol, and 100 symbols x 100,000 trades.

Cases: time, tick, volume, notional and imbalance bars of `lob.bars.make_bars`, from numpy arrays to numpy arrays with
all its checks; the same in plain vectorised numpy (`searchsorted`, `reduceat`), which checks nothing; pandas
(`groupby`) for the time bars; and the floor: the time to read the inputs once. Volume, notional and imbalance bars
cannot be vectorised over trades, for each begins where the last one stopped. For volumes and notionals numpy's case
jumps from bar to bar in the cumulative amount, one `searchsorted` each; for imbalances, which go up and down, it looks
for the first crossing in stretches of trades from the beginning of each bar. The first calls, in the timings, are those
of a process that has made no bars yet: they hold the compilation.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from benchmarks.harness import Case, Timing, disagreements, time_cases, write_results
from quantjax.lob import TradeSeries
from quantjax.lob.bars import (
    BarKind,
    FixedThreshold,
    ImbalanceBars,
    NotionalBars,
    TickBars,
    TimeBars,
    VolumeBars,
    make_bars,
)

__all__ = ["main"]

TRADES, SYMBOLS, TRADES_OF_ONE = 10_000_000, 100, 100_000
DAY_NS = 86_400 * 10**9
START_NS = 1_600_000_000 * 10**9
LOT, TICK = 1e-4, 0.01
SECOND, TEN_SECONDS = TimeBars("1s"), TimeBars("10s")
KINDS: dict[str, BarKind] = {
    "time": SECOND,
    "tick": TickBars(1000),
    "volume": VolumeBars(1000.0, lot_size=LOT),
    "notional": NotionalBars(100_000.0, tick_size=TICK, lot_size=LOT),
    "imbalance": ImbalanceBars("volume", FixedThreshold(50.0), lot_size=LOT),
}
NOTES = {
    "time": ("bars of a second, checks and all", "searchsorted, reduceat"),
    "tick": ("1,000 trades each", "arange, reduceat"),
    "volume": ("exact in lots", "exact in lots; a searchsorted a bar, reduceat"),
    "notional": ("exact in ticks times lots", "exact; a searchsorted a bar, reduceat"),
    "imbalance": ("of volume, exact in lots", "exact; a search for the first crossing a bar, reduceat"),
}
COLUMNS = ("open", "high", "low", "close", "volume", "notional", "vwap", "buy_volume", "sell_volume")
COLUMNS += ("unknown_volume", "count", "buy_count", "sell_count")
# The order of the additions is not the same.
RELATIVE, ABSOLUTE = 1e-11, 1e-11


def main(path: Path, *, repeats: int = 15, say: Callable[[str], None] = print) -> None:
    """Run all cases and write the JSON."""
    one = random_trades(TRADES, "XYZ", seed=1)
    many = [random_trades(TRADES_OF_ONE, f"S{number}", seed=number) for number in range(SYMBOLS)]
    # Timed before anything else is: a process that has made no bars yet compiles.
    first_ms = {name: _first_call_ms(lambda kind=kind: make_bars(one, kind)) for name, kind in KINDS.items()}
    first_ms["batch"] = _first_call_ms(lambda: make_bars(many, TEN_SECONDS))
    facts: dict[str, Any] = {
        "trades": TRADES,
        "symbols": SYMBOLS,
        "trades_of_a_symbol": TRADES_OF_ONE,
        "outputs": len(COLUMNS),
        "bars": {name: _check([one], kind) for name, kind in KINDS.items()} | {"batch": _check(many, TEN_SECONDS)},
        "first_call_ms_in_this_order": first_ms,
    }
    say(f"{TRADES:,} trades; {SYMBOLS} symbols x {TRADES_OF_ONE:,} trades; bars: {facts['bars']}")
    device = [jnp.asarray(array) for array in (one.time_ns, one.price, one.size, one.side)]
    read = jax.jit(lambda arrays: [array.sum() for array in arrays])
    cases = [Case("floor", lambda: jax.block_until_ready(read(device)), "sum of the four inputs of 10,000,000 trades")]
    for name, kind in KINDS.items():
        ours, plain = NOTES[name]
        cases.append(Case(f"quantjax {name}", lambda kind=kind: make_bars(one, kind), ours))
        cases.append(Case(f"numpy {name}", lambda kind=kind: numpy_bars(one, kind), plain))
    cases += [
        Case("pandas time", lambda: pandas_bars(one, SECOND), "groupby of an integer key, sorted"),
        Case("quantjax batch", lambda: make_bars(many, TEN_SECONDS), "100 symbols, bars of ten seconds"),
        Case("numpy batch", lambda: [numpy_bars(symbol, TEN_SECONDS) for symbol in many], "a loop over the symbols"),
    ]
    timings = time_cases(cases, repeats=repeats, say=say)
    write_results(path, "bars", timings, **facts, summary=_summary(timings, one))


def _first_call_ms(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return round(1e3 * (time.perf_counter() - start), 1)


def random_trades(count: int, symbol: str, *, seed: int) -> TradeSeries:
    """Trades of a day: prices in cents, sizes in lots, one side in a hundred unknown."""
    random = np.random.default_rng(seed)
    gaps = random.exponential(size=count)
    return TradeSeries(
        START_NS + (np.cumsum(gaps) * ((DAY_NS - 1) / gaps.sum())).astype(np.int64),
        np.round(100 + np.cumsum(random.integers(-2, 3, count)) / 1000, 2).clip(1.0),
        random.integers(1, 20_000, count) / 10_000,
        random.choice(np.array([-1, 0, 1], np.int8), count, p=[0.5, 0.01, 0.49]),
        symbol,
    )


def numpy_bars(trades: TradeSeries, kind: BarKind) -> dict[str, np.ndarray]:
    """The same outputs in vectorised numpy; sums by `reduceat`, which adds in pairs."""
    time_ns, price, size, side = (np.asarray(a) for a in (trades.time_ns, trades.price, trades.size, trades.side))
    position = _positions(kind, time_ns, price, size, side)
    count = np.diff(position)
    some = count > 0
    first, last = position[:-1][some], position[1:][some] - 1
    buys, sells = side > 0, side < 0

    def column(values: np.ndarray, empty: float) -> np.ndarray:
        whole = np.full(len(count), empty, values.dtype)
        whole[some] = values
        return whole

    out = {
        "open": column(price[first], np.nan),
        "high": column(np.maximum.reduceat(price, first), np.nan),
        "low": column(np.minimum.reduceat(price, first), np.nan),
        "close": column(price[last], np.nan),
        "volume": column(np.add.reduceat(size, first), 0),
        "notional": column(np.add.reduceat(price * size, first), 0),
        "buy_volume": column(np.add.reduceat(size * buys, first), 0),
        "sell_volume": column(np.add.reduceat(size * sells, first), 0),
        "unknown_volume": column(np.add.reduceat(size * (side == 0), first), 0),
        "count": count,
        "buy_count": column(np.add.reduceat(buys, first, dtype=np.int32), 0),
        "sell_count": column(np.add.reduceat(sells, first, dtype=np.int32), 0),
    }
    with np.errstate(invalid="ignore"):
        out["vwap"] = out["notional"] / out["volume"]
    return out


def _positions(kind: BarKind, time_ns, price, size, side) -> np.ndarray:
    """The rows at which bars begin, and the one after the last trade."""
    if isinstance(kind, TimeBars):
        dt = kind.interval_ns
        return np.searchsorted(time_ns, np.arange(time_ns[0] // dt, time_ns[-1] // dt + 2) * dt)
    if isinstance(kind, TickBars):
        return np.append(np.arange(0, len(price), kind.trades), len(price))
    lots = np.rint(size / LOT).astype(np.int64)
    if isinstance(kind, VolumeBars):
        return _jump(np.cumsum(lots), round(float(kind.volume) / LOT))
    if isinstance(kind, NotionalBars):
        ticks = np.rint(price / TICK).astype(np.int64)
        return _jump(np.cumsum(ticks * lots), round(float(kind.notional) / (TICK * LOT)))
    assert isinstance(kind, ImbalanceBars)
    assert isinstance(kind.threshold, FixedThreshold)
    return _cross(np.cumsum(lots * side), round(float(kind.threshold.threshold) / LOT))


def _jump(cumulative: np.ndarray, threshold: int) -> np.ndarray:
    """Where bars begin whose amount only grows: a binary search a bar."""
    position, reached = [0], 0
    while position[-1] < len(cumulative):
        stop = min(int(np.searchsorted(cumulative, reached + threshold)) + 1, len(cumulative))
        reached = int(cumulative[stop - 1])
        position.append(stop)
    return np.array(position)


def _cross(cumulative: np.ndarray, threshold: int) -> np.ndarray:
    """Where bars begin whose imbalance goes up and down: the first crossing, looked for in growing stretches."""
    position, reached, total, usual = [0], 0, len(cumulative), 512
    while position[-1] < total:
        start, length, stop = position[-1], usual, None
        while stop is None:
            over = np.abs(cumulative[start : start + length] - reached) >= threshold
            row = int(over.argmax())
            if over[row]:
                stop = start + row + 1
            elif start + length >= total:
                stop = total
            else:
                start, length = start + length, 2 * length
        reached = int(cumulative[stop - 1])
        position.append(stop)
    return np.array(position)


def pandas_bars(trades: TradeSeries, kind: TimeBars) -> pd.DataFrame:
    """The same outputs by a groupby, without the empty bars."""
    side, size = np.asarray(trades.side), np.asarray(trades.size)
    frame = pd.DataFrame(
        {
            "price": trades.price,
            "size": size,
            "notional": np.asarray(trades.price) * size,
            "buy": size * (side > 0),
            "sell": size * (side < 0),
            "unknown": size * (side == 0),
            "buys": side > 0,
            "sells": side < 0,
        }
    )
    groups = frame.groupby(np.asarray(trades.time_ns) // kind.interval_ns, sort=False)
    prices = groups["price"].agg(["first", "max", "min", "last", "count"])
    sums = groups[["size", "notional", "buy", "sell", "unknown", "buys", "sells"]].sum()
    sums["vwap"] = sums["notional"] / sums["size"]
    return prices.join(sums)


def _check(trades: list[TradeSeries], kind: BarKind) -> int:
    """Number of bars; raises where quantjax and numpy differ by more than the rounding of their sums."""
    made = make_bars(trades, kind)
    total = 0
    for one in trades:
        bars = make_bars(one, kind)
        together = made.of(one.symbol)
        expected = numpy_bars(one, kind)
        ours = {name: getattr(bars, name) for name in COLUMNS}
        found = disagreements(ours, expected, relative=RELATIVE, absolute=ABSOLUTE)
        if found or int(together.count.sum()) != len(one):
            raise AssertionError(f"quantjax and numpy disagree on {one.symbol}, by number of bars: {found}")
        total += int(together.num_bars)
    return total


def _summary(timings: list[Timing], trades: TradeSeries) -> dict[str, Any]:
    """The figures one asks for first."""
    times = {timing.name: timing for timing in timings}
    bytes_read = sum(np.asarray(array).nbytes for array in jax.tree.leaves(trades))
    names = (*KINDS, "batch")
    return {
        **{f"{name}_times_numpy": times[f"quantjax {name}"].ratios[f"numpy {name}"] for name in names},
        "time_times_pandas": times["quantjax time"].ratios["pandas time"],
        "nanoseconds_per_trade": {name: round(1e6 * times[f"quantjax {name}"].median_ms / TRADES, 1) for name in names},
        "time_over_floor": round(times["quantjax time"].median_ms / times["floor"].median_ms, 1),
        "input_megabytes": round(bytes_read / 1e6, 1),
        "targets": {
            f"{name}: faster than numpy": times[f"quantjax {name}"].ratios[f"numpy {name}"] > 1 for name in names
        },
        "why": (
            "A sum in the order of the trades is a chain of additions, each of which waits for the one before: that, "
            "not the memory, limits the loop over the trades, and is the price of sums that equal a plain loop to the "
            "last digit. numpy adds in pairs, in a pass over the trades for each output. quantjax takes two passes on "
            "all cores, and checks every value and the order of the times, which numpy's cases do not. Each bar costs "
            "it 100 to 200 ns beside its trades: in the batch, with 12 trades a bar, that is as much as the trades. "
            "Volume, notional and imbalance bars add a scan from trade to trade, on one core, before the sums can "
            "begin, and the conversion to integers with the check that every size and price is a multiple; numpy's "
            "cases round and do not check, and its search for crossings passes over a trade once or twice while bars "
            "are hundreds of trades long: with shorter ones its loop over the bars is what takes the time."
        ),
    }
