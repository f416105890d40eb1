"""Bars of every kind against the slow oracle, to the last digit, and against bars worked by hand."""

from __future__ import annotations

import gzip
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.lob import TradeSeries
from quantjax.lob.bars import (
    AdaptiveThreshold,
    FixedThreshold,
    ImbalanceBars,
    NotionalBars,
    TickBars,
    TimeBars,
    VolumeBars,
    make_bars,
)
from tests.reference import bars as oracle

SECOND = 1_000_000_000


def series(time_ns, price, size, side, symbol="XYZ", dtype=np.float64) -> TradeSeries:
    columns = (np.asarray(column, dtype) for column in (price, size))
    return TradeSeries(np.asarray(time_ns, np.int64), *columns, np.asarray(side, np.int8), symbol)


def random_trades(count: int, seed: int, dtype=np.float64, symbol="XYZ") -> TradeSeries:
    """Trades in bursts and gaps, some on whole seconds, some at one time, prices in cents and sizes in 1e-4."""
    random = np.random.default_rng(seed)
    gaps = np.where(random.random(count) < 0.02, 10 * SECOND, SECOND // 4) * random.integers(0, 3, count)
    gaps += random.integers(0, 2, count) * random.integers(0, SECOND // 4, count)
    price = np.round(100 + 0.01 * np.cumsum(random.integers(-2, 3, count)), 2)
    size = random.integers(1, 50_000, count) / 10_000
    return series(1_600_000_000 * SECOND + np.cumsum(gaps), price, size, random.integers(-1, 2, count), symbol, dtype)


def as_list(trades: TradeSeries) -> list:
    columns = (trades.time_ns, trades.price, trades.size, trades.side)
    return list(zip(*map(np.asarray, columns), strict=True))


def assert_same(bars, expected: list, kind) -> None:
    """Bitwise, with NaN for NaN."""
    rows = [oracle.aggregate(trades, kind) for trades in expected]
    assert len(rows) == bars.num_bars
    for name in rows[0]:
        actual = getattr(bars, name)
        np.testing.assert_array_equal(actual, np.array([row[name] for row in rows], actual.dtype), err_msg=name)
    filled = [trades for trades in expected if trades]
    np.testing.assert_array_equal(bars.end_ns[bars.count > 0] >= [bar[-1][0] for bar in filled], True)


@pytest.fixture(scope="module", params=[np.float64, np.float32], ids=["float64", "float32"])
def trades(request) -> TradeSeries:
    return random_trades(3000, 7, request.param)


def test_time_bars_equal_the_oracle(trades):
    bars = make_bars(trades, TimeBars("1s"))
    expected = oracle.time_bars(as_list(trades), SECOND)
    assert_same(bars, [inside for _, _, inside in expected], trades.price.dtype.type)
    assert (bars.count == 0).any()
    np.testing.assert_array_equal(bars.start_ns, [start for start, _, _ in expected])
    np.testing.assert_array_equal(bars.end_ns, [end for _, end, _ in expected])


def test_tick_bars_equal_the_oracle(trades):
    bars = make_bars(trades, TickBars(7))
    expected = oracle.tick_bars(as_list(trades), 7)
    assert_same(bars, expected, trades.price.dtype.type)
    np.testing.assert_array_equal(bars.start_ns, [bar[0][0] for bar in expected])
    np.testing.assert_array_equal(bars.end_ns, [bar[-1][0] for bar in expected])


def test_volume_bars_are_exact_in_lots(trades):
    bars = make_bars(trades, VolumeBars(12.5, lot_size=1e-4))
    # Decimal numbers, not their binary neighbours: sizes are rounded to lots.
    lots = [round(10_000 * float(size)) for size in trades.size]
    listed = [(row, lots[row]) for row in range(len(lots))]
    cut = oracle.threshold_bars(listed, 125_000, lambda item: item[1])
    everything = as_list(trades)
    assert_same(bars, [[everything[row] for row, _ in bar] for bar in cut], trades.price.dtype.type)


def test_volume_and_notional_bars_without_units_add_in_order(trades):
    kind = trades.price.dtype.type
    bars = make_bars(trades, VolumeBars(12.5, lot_size=None))
    assert_same(bars, oracle.threshold_bars(as_list(trades), kind(12.5), lambda trade: trade[2]), kind)
    bars = make_bars(trades, NotionalBars(1_000.0))
    assert_same(bars, oracle.threshold_bars(as_list(trades), kind(1000), lambda trade: trade[1] * trade[2]), kind)


def test_notional_bars_are_exact_in_ticks_and_lots():
    trades = random_trades(3000, 8)
    bars = make_bars(trades, NotionalBars(1_000.0, tick_size=0.01, lot_size=1e-4))

    def exact(trade):
        return oracle.decimal_fraction(trade[1]) * oracle.decimal_fraction(trade[2])

    assert_same(bars, oracle.threshold_bars(as_list(trades), 1000, exact), float)


@pytest.mark.parametrize("of", ["tick", "volume", "notional"])
def test_imbalance_bars_equal_the_oracle(trades, of):
    kind = trades.price.dtype.type
    unit = {"tick": 1.0, "volume": 2.5, "notional": 250.0}[of]

    def signed(trade):
        return kind(trade[3]) * {"tick": kind(1), "volume": trade[2], "notional": trade[1] * trade[2]}[of]

    # Amounts as they are, rounded at each addition; exactly in `test_imbalance_bars_are_exact_in_lots_and_ticks`.
    bars = make_bars(trades, ImbalanceBars(of, FixedThreshold(6 * unit), lot_size=None))
    never = 10**9
    expected = oracle.imbalance_bars(as_list(trades), signed, kind(1), kind(6 * unit), kind(0), 1, never, kind)
    assert_same(bars, expected, kind)
    threshold = AdaptiveThreshold(
        expected_trades=20, expected_imbalance=0.3 * unit, span=9, min_trades=5, max_trades=100
    )
    bars = make_bars(trades, ImbalanceBars(of, threshold))
    expected = oracle.imbalance_bars(as_list(trades), signed, kind(20), kind(0.3 * unit), kind(0.2), 5, 100, kind)
    assert_same(bars, expected, kind)
    assert bars.count[:-1].min() >= 5
    assert bars.count.max() <= 100


@pytest.mark.parametrize("of", ["volume", "notional"])
def test_imbalance_bars_are_exact_in_lots_and_ticks(of):
    trades = random_trades(2000, 9)

    def signed(trade):
        price = oracle.decimal_fraction(trade[1]) if of == "notional" else 1
        return int(trade[3]) * price * oracle.decimal_fraction(trade[2])

    threshold, tick = {"volume": (15.0, None), "notional": (1500.0, 0.01)}[of]
    kind = ImbalanceBars(of, FixedThreshold(threshold), lot_size=1e-4, tick_size=tick)
    expected = oracle.imbalance_bars(as_list(trades), signed, 1, int(threshold), 0, 1, 10**9, Fraction)
    assert_same(make_bars(trades, kind), expected, float)


def test_a_worked_day():
    # Trades at 0.0, 0.4, 1.0 (a boundary), 1.0, 3.2 seconds.
    trades = series(
        [0, 400_000_000, SECOND, SECOND, 3_200_000_000],
        [10.0, 12.0, 11.0, 13.0, 9.0],
        [1.0, 3.0, 2.0, 2.0, 5.0],
        [1, -1, 0, 1, -1],
    )
    bars = make_bars(trades, TimeBars("1s"))
    assert bars.count.tolist() == [2, 2, 0, 1]
    assert bars.open.tolist()[:2] == [10.0, 11.0]
    assert bars.high.tolist()[:2] == [12.0, 13.0]
    assert bars.low.tolist()[:2] == [10.0, 11.0]
    assert bars.close.tolist()[:2] == [12.0, 13.0]
    assert bars.volume.tolist() == [4.0, 4.0, 0.0, 5.0]
    assert bars.notional.tolist() == [46.0, 48.0, 0.0, 45.0]
    assert bars.vwap.tolist()[:2] == [11.5, 12.0]
    assert np.isnan([bars.vwap[2], bars.open[2], bars.high[2], bars.low[2], bars.close[2]]).all()
    assert bars.signed_volume.tolist() == [-2.0, 2.0, 0.0, -5.0]
    assert bars.unknown_volume.tolist() == [0.0, 2.0, 0.0, 0.0]
    assert bars.first_trade.tolist() == [0, 2, 4, 4]
    # The first trade stands on a boundary: that second is covered whole. The last one is not.
    assert bars.complete.tolist() == [True, True, True, False]
    # 4, then 2 + 2, then 5 >= 4.
    assert make_bars(trades, VolumeBars(4.0)).count.tolist() == [2, 2, 1]
    # 46 >= 40; 22 + 26 >= 40; 45 >= 40.
    assert make_bars(trades, NotionalBars(40.0)).count.tolist() == [2, 2, 1]
    # theta: 1 | -1 | 0, 1 | -1.
    assert make_bars(trades, ImbalanceBars("tick", FixedThreshold(1.0))).count.tolist() == [1, 1, 2, 1]
    # theta: 1, -2 | 0, 2 | -5.
    assert make_bars(trades, ImbalanceBars("volume", FixedThreshold(2.0))).count.tolist() == [2, 2, 1]


def test_tenths_make_one_exactly():
    trades = series(np.arange(30), np.full(30, 7.0), np.full(30, 0.1), np.ones(30))
    assert make_bars(trades, VolumeBars(1.0)).count.tolist() == [10, 10, 10]
    # Ten times 0.1 is less than 1 in binary.
    assert make_bars(trades, VolumeBars(1.0, lot_size=None)).count.tolist() == [11, 11, 8]
    # Bought or sold, the imbalance is counted as exactly.
    for side in (1, -1):
        taken = series(np.arange(30), np.full(30, 7.0), np.full(30, 0.1), np.full(30, side))
        assert make_bars(taken, ImbalanceBars("volume", FixedThreshold(1.0))).count.tolist() == [10, 10, 10]
        assert make_bars(taken, ImbalanceBars("volume", FixedThreshold(1.0), lot_size=None)).count[0] == 11
        notional = ImbalanceBars("notional", FixedThreshold(7.0), lot_size=0.1, tick_size=0.1)
        assert make_bars(taken, notional).count.tolist() == [10, 10, 10]
    # An integer count of ticks reaches 2.5 at 3.
    assert make_bars(trades, ImbalanceBars("tick", FixedThreshold(2.5))).count.tolist() == [3] * 10
    assert make_bars(trades, NotionalBars(0.7, tick_size=0.1, lot_size=0.1)).count.tolist() == [1] * 30


def test_boundaries_to_the_nanosecond():
    dt = 100_000_000
    time_ns = [3 * dt - 1, 3 * dt, 4 * dt - 1, 4 * dt]
    bars = make_bars(series(time_ns, np.ones(4), np.ones(4), np.ones(4)), TimeBars(0.1))
    assert bars.start_ns.tolist() == [2 * dt, 3 * dt, 4 * dt]
    assert bars.count.tolist() == [1, 2, 1]
    bars = make_bars(series(time_ns, np.ones(4), np.ones(4), np.ones(4)), TimeBars("100ms", origin_ns=-1))
    assert bars.count.tolist() == [2, 2]
    early = series([-5, -1, 0], np.ones(3), np.ones(3), np.ones(3))
    assert make_bars(early, TimeBars("5ns")).start_ns.tolist() == [-5, 0]


def test_a_given_span():
    trades = series(np.array([5, 15, 25, 35]) * SECOND, np.ones(4), np.ones(4), np.ones(4))
    kind = TimeBars("10s", start_ns=10 * SECOND, end_ns=50 * SECOND)
    bars = make_bars(trades, kind)
    assert bars.count.tolist() == [1, 1, 1, 0]
    assert bars.complete.all()
    assert bars.trades_outside == 1
    # A span that begins and ends inside bars: trades outside it are left out of them.
    bars = make_bars(trades, TimeBars("10s", start_ns=6 * SECOND, end_ns=35 * SECOND))
    assert bars.count.tolist() == [0, 1, 1, 0]
    assert bars.complete.tolist() == [False, True, True, False]
    assert bars.trades_outside == 2
    # No trades at all.
    empty = make_bars(trades[:0], kind)
    assert empty.count.tolist() == [0, 0, 0, 0]
    assert make_bars(trades[:0], TimeBars("10s")).num_bars == 0
    # A span before all trades.
    assert make_bars(trades, TimeBars("1s", end_ns=SECOND)).num_bars == 0
    assert make_bars(trades, TimeBars("1s", end_ns=SECOND)).trades_outside == 4


@pytest.mark.parametrize(
    "kind", [TickBars(3), VolumeBars(1.0), NotionalBars(1.0), ImbalanceBars("tick", FixedThreshold(2.0))], ids=repr
)
def test_no_trades_no_bars(kind):
    empty = make_bars(series([], [], [], []), kind)
    assert empty.num_bars == 0
    assert empty.volume.dtype == np.float64
    assert len(empty.to_pandas()) == 0


def test_partial_bars_are_dropped_and_counted():
    trades = random_trades(1000, 3)
    kept, dropped = (make_bars(trades, TickBars(300), partial=partial) for partial in ("keep", "drop"))
    assert kept.complete.tolist() == [True, True, True, False]
    assert dropped.count.tolist() == [300, 300, 300]
    assert (kept.trades_in_dropped, dropped.trades_in_dropped) == (0, 100)
    exact = make_bars(trades[:900], TickBars(300))
    assert exact.complete.all()
    timed = make_bars(trades, TimeBars("1s"))
    inside = make_bars(trades, TimeBars("1s"), partial="drop")
    assert inside.trades_in_dropped == timed.count[~timed.complete].sum() > 0


def test_fill_with_the_previous_close():
    trades = series(np.array([10, 40]) * SECOND, [3.0, 4.0], [1.0, 1.0], [1, 1])
    bars = make_bars(trades, TimeBars("10s", start_ns=0, end_ns=60 * SECOND), fill="previous")
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(bars, name), [np.nan, 3.0, 3.0, 3.0, 4.0, 4.0])
    np.testing.assert_array_equal(bars.vwap, [np.nan, 3.0, np.nan, np.nan, 4.0, np.nan])
    assert bars.volume.tolist() == [0, 1, 0, 0, 1, 0]


def test_symbols_side_by_side_equal_symbols_alone():
    many = [random_trades(count, count, symbol=f"S{count}") for count in (900, 0, 40, 700)]
    for kind in (TickBars(11), VolumeBars(30.0), TimeBars("1s", start_ns=1_600_000_000 * SECOND)):
        together = make_bars(many, kind, partial="drop")
        assert together.open.shape == together.valid.shape
        for row, one in enumerate(many):
            alone, found = make_bars(one, kind, partial="drop"), together.of(one.symbol)
            if isinstance(kind, TimeBars):
                # All symbols have the same bars, to the end of the last trade of any.
                assert found.num_bars == together.num_bars.max() > 0
                assert found.trades_outside == 0
                continue
            assert together.num_bars[row] == alone.num_bars
            assert found.trades_in_dropped == alone.trades_in_dropped
            for name in ("start_ns", "end_ns", "open", "high", "vwap", "volume", "signed_volume", "count", "complete"):
                np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))
        assert np.isnan(together.open[~together.valid]).all()
        assert (together.volume[~together.valid] == 0).all()
    table = together.to_pandas()
    assert table.index.names == ["symbol", "end"]
    with pytest.raises(KeyError, match="expected one of S900"):
        together.of("ABC")


def test_a_common_grid_of_time_bars():
    first, second = random_trades(300, 1, symbol="A"), random_trades(500, 2, symbol="B")
    together = make_bars([first, second], TimeBars("10s"))
    span = {"start_ns": int(together.start_ns[0, 0]), "end_ns": int(together.end_ns[0, -1])}
    for one in (first, second):
        alone, found = make_bars(one, TimeBars("10s", **span)), together.of(one.symbol)
        for name in ("start_ns", "end_ns", "open", "close", "notional", "buy_volume", "count"):
            np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))


def test_to_pandas_is_indexed_by_the_end():
    trades = random_trades(200, 4)
    bars = make_bars(trades, TimeBars("1min"))
    table = bars.to_pandas()
    assert table.index.name == "end"
    np.testing.assert_array_equal(table.index.as_unit("ns").asi8, bars.end_ns)
    assert str(table.index.tz) == "UTC"
    np.testing.assert_array_equal(table["signed_volume"], bars.buy_volume - bars.sell_volume)
    assert table.attrs["symbol"] == "XYZ"


def test_times_that_go_back():
    trades = random_trades(500, 5)
    shuffled = trades[np.random.default_rng(0).permutation(500)]
    with pytest.raises(ValueError, match=r"never decrease, got \d+ steps back"):
        make_bars(shuffled, TickBars(10))
    swapped = trades[np.r_[100:200, 0:100, 200:500]]
    bars = make_bars(swapped, TickBars(10), time_order="sort")
    assert bars.clock_went_back == 1
    np.testing.assert_array_equal(bars.end_ns, make_bars(trades, TickBars(10)).end_ns)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("price", np.nan, "1 bad_price .* trades of XYZ, .* row 2; lob.clean_trades"),
        ("price", -1.0, "1 bad_price .* row 2"),
        ("price", 0.0, "1 bad_price .* row 2"),
        ("size", -0.5, "1 bad_size .* row 2"),
        ("size", np.inf, "1 bad_size .* row 2"),
        ("side", 2, "1 bad_side .* row 2"),
    ],
)
def test_bad_values_are_those_of_all_trades(column, value, message):
    columns = {"price": np.ones(4), "size": np.ones(4), "side": np.ones(4)}
    columns[column][2] = value
    with pytest.raises(ValueError, match=message):
        make_bars(series(range(4), **columns), TickBars(2))


def test_sizes_that_are_no_lots():
    trades = series(range(3), np.ones(3), [0.5, 0.123, 0.5], np.ones(3))
    with pytest.raises(ValueError, match=r"every size .* multiple of lot_size 0.01 .* got 0.123 in row 1"):
        make_bars(trades, VolumeBars(1.0, lot_size=0.01))
    with pytest.raises(ValueError, match=r"every price .* multiple of tick_size 0.3 .* got 1.0 in row 0"):
        make_bars(trades, NotionalBars(3.0, lot_size=0.001, tick_size=0.3))
    # float32 does not know 1e-8 of 0.5.
    with pytest.raises(ValueError, match="lot_size 1e-08 that float32 can tell"):
        make_bars(series(range(3), np.ones(3), [0.5, 0.123, 0.5], np.ones(3), dtype=np.float32), VolumeBars(1.0))
    # A size of 1e8 in lots of 1e-8, at a price of 1e7 ticks: beyond 64 bits.
    with pytest.raises(ValueError, match="fewer units than int64 holds"):
        make_bars(series([0], [1e5], [1e6], [1]), NotionalBars(1.0, lot_size=1e-8, tick_size=0.01))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TimeBars("1 fortnight"), ValueError, "as '1s' or '5min', got '1 fortnight'"),
        (lambda: TimeBars("0.5ns"), ValueError, "whole nanoseconds > 0, got '0.5ns'"),
        (lambda: TimeBars(0), ValueError, "whole nanoseconds > 0, got 0"),
        (lambda: TimeBars(np.nan), ValueError, "whole nanoseconds > 0, got nan"),
        (lambda: TimeBars("1s", start_ns=5, end_ns=5), ValueError, "end_ns > start_ns"),
        (lambda: TimeBars("1s", start_ns=0.5), TypeError, "start_ns as an integer"),
        (lambda: TimeBars("1s", start_ns=True), TypeError, "start_ns as an integer"),
        (lambda: TimeBars("1s", origin_ns=None), TypeError, "origin_ns as an integer"),
        (lambda: TickBars(True), ValueError, "integer >= 1, got True"),
        (lambda: TickBars(0), ValueError, "integer >= 1, got 0"),
        (lambda: TickBars(2.0), ValueError, "integer >= 1, got 2.0"),
        (lambda: VolumeBars(-1.0), ValueError, "volume > 0"),
        (lambda: VolumeBars(1.05, lot_size=0.1), ValueError, "lot_size 0.1, got 1.05; the nearest multiple is 1$"),
        (lambda: VolumeBars(1e-9), ValueError, "lot_size 1e-08, got 1e-09; the nearest multiple is 0.00000001"),
        (lambda: VolumeBars(4.240663001), ValueError, "nearest multiple is 4.240663$"),
        (lambda: VolumeBars("1"), TypeError, "volume as a number, got '1'"),
        (lambda: NotionalBars(1.0, tick_size=0.01), ValueError, "tick_size and lot_size together"),
        (lambda: NotionalBars(np.inf), ValueError, "notional > 0 and finite"),
        (lambda: FixedThreshold(0.0), ValueError, "threshold > 0"),
        (lambda: ImbalanceBars("ticks", FixedThreshold(1.0)), ValueError, "expected of as 'tick'"),
        (lambda: ImbalanceBars("tick", 3.0), TypeError, "FixedThreshold or AdaptiveThreshold"),
        (
            lambda: ImbalanceBars("volume", FixedThreshold(0.35), lot_size=0.1),
            ValueError,
            "threshold as a multiple of lot",
        ),
        (lambda: ImbalanceBars("volume", FixedThreshold(1.0), tick_size=0.1), ValueError, "tick_size with 'notional'"),
        (lambda: ImbalanceBars("volume", FixedThreshold(1.0), lot_size=0), ValueError, "lot_size > 0"),
        (lambda: ImbalanceBars("tick", FixedThreshold(jnp.ones(2))), ValueError, "threshold of single numbers"),
        (lambda: adaptive(min_trades=1.5), TypeError, "min_trades as an integer, got 1.5"),
        (lambda: adaptive(span=0.5), ValueError, "span >= 1"),
        (lambda: adaptive(expected_imbalance=0.0), ValueError, "not 0"),
        (lambda: adaptive(min_trades=50), ValueError, "expected_trades from min_trades 50"),
        (lambda: adaptive(min_trades=5, max_trades=4), ValueError, "1 <= min_trades <= max_trades"),
        (lambda: make_bars(random_trades(5, 1), "1s"), TypeError, "expected kind as TimeBars"),
        (lambda: make_bars(random_trades(5, 1), TickBars(2), fill="zero"), ValueError, "fill as 'nan' or 'previous'"),
        (lambda: make_bars([random_trades(5, 1)] * 2, TickBars(2)), ValueError, "different symbols"),
        (lambda: make_bars([], TickBars(2)), ValueError, "different symbols"),
        (lambda: make_bars(random_trades(5, 1).to_pandas(), TickBars(2)), TypeError, "TradeSeries, got DataFrame; lob"),
        (lambda: make_bars([random_trades(5, 1).to_pandas()], TickBars(2)), TypeError, "got DataFrame"),
        (lambda: make_bars({"XYZ": random_trades(5, 1)}, TickBars(2)), TypeError, "got dict"),
        (lambda: make_bars(3, TickBars(2)), TypeError, "got int"),
    ],
)
def test_bad_parameters(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_thresholds_off_by_the_rounding_of_a_sum():
    trades = series(range(4), np.ones(4), np.full(4, 0.1), np.ones(4))
    assert 0.1 + 0.2 != 0.3
    assert make_bars(trades, VolumeBars(0.1 + 0.2)).count.tolist() == [3, 1]
    assert VolumeBars(4.2406630000000005).volume == 4.2406630000000005
    assert NotionalBars(0.1 + 0.2, tick_size=0.1, lot_size=1).notional == 0.1 + 0.2


def adaptive(**options) -> AdaptiveThreshold:
    return AdaptiveThreshold(**{"expected_trades": 20.0, "expected_imbalance": 0.5, "span": 10, **options})


def test_scalars_of_numpy_and_jax_are_numbers():
    # Warnings are errors: equinox warns of arrays in static fields.
    trades = random_trades(50, 6)
    time_ns = trades.time_ns[0]
    assert isinstance(time_ns, np.int64)
    for start_ns in (time_ns, jnp.asarray(time_ns), np.asarray(time_ns)):
        kind = TimeBars("1s", start_ns=start_ns, end_ns=start_ns + SECOND, origin_ns=np.int32(0))
        assert kind == TimeBars("1s", start_ns=int(time_ns), end_ns=int(time_ns) + SECOND)
        make_bars(trades, kind)
    assert TimeBars(np.float64(0.1)) == TimeBars(0.1)
    assert TickBars(np.int32(7)) == TickBars(7)
    assert VolumeBars(np.float64(1.5), lot_size=np.float64(0.5)) == VolumeBars(1.5, lot_size=0.5)
    assert NotionalBars(jnp.asarray(1.5)) == NotionalBars(1.5)
    assert repr(FixedThreshold(np.float64(25))) == "FixedThreshold(threshold=25.0)"
    assert repr(adaptive(min_trades=np.int64(2))) == repr(adaptive(min_trades=2))


def test_too_many_time_bars():
    trades = series([0, 10**18], np.ones(2), np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="at most 100,000,000 time bars"):
        make_bars(trades, TimeBars("1ms"))


def test_mixed_dtypes_of_symbols():
    with pytest.raises(ValueError, match="one dtype, got float32, float64"):
        make_bars([random_trades(5, 1, symbol="A"), random_trades(5, 1, np.float32, "B")], TickBars(2))


@pytest.mark.parametrize(
    "kind",
    [
        TimeBars("1s"),
        TickBars(50),
        VolumeBars(5.0),
        NotionalBars(250_000.0),
        ImbalanceBars("volume", FixedThreshold(2.0)),
    ],
    ids=repr,
)
def test_recorded_crypto_trades(data, recorded, kind):
    assert_recorded(recorded, kind)


@pytest.fixture(scope="module")
def recorded(data) -> TradeSeries:
    from quantjax.io import read_books

    path = data / "binance_raw" / "spot_btcusdt_20240808.gz"
    return read_books(path, levels=1, clock="exchange").trades["BTCUSDT"]


def assert_recorded(trades: TradeSeries, kind) -> None:
    bars = make_bars(trades, kind, time_order="sort")
    order = np.argsort(np.asarray(trades.time_ns), kind="stable")
    listed = as_list(trades[order])
    if isinstance(kind, TimeBars):
        expected = [inside for _, _, inside in oracle.time_bars(listed, kind.interval_ns)]
    elif isinstance(kind, TickBars):
        expected = oracle.tick_bars(listed, kind.trades)
    elif isinstance(kind, VolumeBars):
        expected = oracle.threshold_bars(
            listed, oracle.decimal_fraction(kind.volume), lambda trade: oracle.decimal_fraction(trade[2])
        )
    elif isinstance(kind, NotionalBars):
        expected = oracle.threshold_bars(listed, kind.notional, lambda trade: float(trade[1]) * float(trade[2]))
    else:
        expected = oracle.imbalance_bars(
            listed,
            lambda trade: float(trade[3]) * (float(trade[2]) if kind.of == "volume" else 1.0),
            1.0,
            kind.threshold.threshold,
            0.0,
            1,
            10**9,
            float,
        )
    assert len(expected) > 5
    assert_same(bars, expected, float)
    assert bars.count.sum() == len(trades)


def test_recorded_stock_trades(data):
    # Milliseconds of the day in New York (04:00 UTC is midnight there), price in 1e-4 dollars, size in shares.
    with gzip.open(data / "trades" / "20131007_spy_Trade_Tick.csv.gz", "rt") as file:
        rows = np.array([line.split(",", 3)[:3] for line in file], np.int64)
    midnight = 1_381_118_400 * SECOND
    prints = series(midnight + rows[:, 0] * 1_000_000, rows[:, 1] / 10_000, rows[:, 2], np.zeros(len(rows)), "SPY")
    assert len(prints) == 250_601
    listed = as_list(prints)
    minutes = make_bars(prints, TimeBars("1min"))
    assert_same(minutes, [inside for _, _, inside in oracle.time_bars(listed, 60 * SECOND)], float)
    assert minutes.unknown_volume.sum() == minutes.volume.sum() == rows[:, 2].sum()
    volume = make_bars(prints, VolumeBars(1_000_000, lot_size=1))
    assert_same(volume, oracle.threshold_bars(listed, 1_000_000, lambda trade: int(trade[2])), float)


def test_recorded_executions(data):
    from quantjax.io import read_books

    trades = read_books(data / "lobster" / "AMZN_2012-06-21_34200000_57600000_message_5.csv.gz").trades["AMZN"]
    assert_recorded(trades, TimeBars("5min"))
    assert_recorded(trades, VolumeBars(1000.0, lot_size=1))
    assert_recorded(trades, ImbalanceBars("tick", FixedThreshold(25.0)))
