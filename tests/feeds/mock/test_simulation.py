import hashlib
from dataclasses import replace
from statistics import correlation, mean, median, pvariance

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.mock.market import MarketConfig, default_markets, to_units
from feeds.mock.simulation import MarketSimulation

SECOND = 10**9


def check(book: MarketSimulation) -> None:
    """Everything that must hold at any moment."""
    assert book.bids.best < book.asks.best
    orders = 0
    for side in (book.bids, book.asks):
        ticks = side.ticks()
        assert len(ticks) == len(side) >= book.config.min_levels
        assert ticks == sorted(set(side.lots), reverse=side.sign > 0)
        assert ticks[0] == side.best
        assert set(side.queues) == set(side.lots)
        for tick, queue in side.queues.items():
            assert queue
            assert min(queue.values()) > 0
            assert sum(queue.values()) == side.lots[tick]
            orders += len(queue)
    assert orders == book.resting_orders


def slow_digest(book: MarketSimulation) -> str:
    def levels(side):
        ticks = sorted(side.lots, reverse=side is book.bids)
        return ";".join(f"{tick * book.tick_units}:{side.lots[tick] * book.lot_units}" for tick in ticks)

    return hashlib.blake2b(f"B{levels(book.bids)}A{levels(book.asks)}".encode(), digest_size=8).hexdigest()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    market_ratio=st.floats(0.01, 1.5),
    market_lots=st.floats(10.0, 1e6),
    depth_scale=st.floats(0.5, 200.0),
    sign_memory=st.floats(0.0, 1.0),
    min_levels=st.integers(2, 20),
)
def test_never_crossed_never_empty_and_consistent(seed, min_levels, **laws):
    config = replace(default_markets()[0], orders_per_side=120, max_distance=500, min_levels=min_levels, **laws)
    book = MarketSimulation(config, seed=seed, start_ns=0)
    check(book)
    for second in range(1, 9):
        book.advance(second * SECOND)
        check(book)
        assert book.digest() == slow_digest(book)


def test_a_long_run_is_sound_and_what_comes_in_goes_out(monkeypatch):
    book = MarketSimulation(default_markets()[1], seed=5, start_ns=0)
    resting = lambda: sum(book.bids.lots.values()) + sum(book.asks.lots.values())  # noqa: E731
    start, flow = resting(), {"added": 0, "cancelled": 0}

    for side in (book.bids, book.asks):

        def add(order, tick, lots, add=side.add):
            flow["added"] += lots
            add(order, tick, lots)

        def cancel(order, tick, side=side, cancel=side.cancel):
            flow["cancelled"] += side.queues[tick][order]
            cancel(order, tick)

        monkeypatch.setattr(side, "add", add)
        monkeypatch.setattr(side, "cancel", cancel)

    for minute in range(1, 11):
        book.advance(minute * 60 * SECOND)
        check(book)
        executed = sum(fill.lots for fill in book.fills)
        assert resting() == start + flow["added"] - flow["cancelled"] - executed
    assert min(flow.values()) > 0
    assert sum(fill.lots for fill in book.fills) == sum(aggregate.lots for aggregate in book.aggregates) > 0
    assert [fill.trade_id for fill in book.fills] == list(range(1, len(book.fills) + 1))
    assert book.aggregates[-1].last_trade_id == len(book.fills)


def test_updates_count_changes_of_levels_and_quotes_are_the_best_levels():
    book = MarketSimulation(default_markets()[2], seed=3, start_ns=0)
    quotes = [(book.bids.best, book.asks.best)]
    for step in range(1, 3_001):
        before, events = book.update_id, book.num_events
        book.advance(step * SECOND // 100)
        assert book.update_id - before >= (book.num_events - events)
        if book.quotes:
            assert book.quotes[-1].bid_tick == book.bids.best
            assert book.quotes[-1].ask_tick == book.asks.best
            assert book.quotes[-1].bid_lots == book.bids.lots[book.bids.best]
            quotes.append((book.bids.best, book.asks.best))
            book.quotes.clear()
        else:
            assert quotes[-1] == (book.bids.best, book.asks.best)
    assert len(set(quotes)) >= 5


def test_events_depend_on_the_seed_and_not_on_the_steps():
    def run(seed: int, step: int) -> tuple[str, list]:
        book = MarketSimulation(default_markets()[0], seed=seed, start_ns=0)
        for now in range(step, 30 * SECOND + 1, step):
            book.advance(now)
        book.advance(30 * SECOND)
        return book.digest(), book.fills

    whole = run(1, 30 * SECOND)
    assert run(1, SECOND // 10) == whole
    assert run(1, 123_456_789) == whole
    assert run(2, 30 * SECOND) != whole


@pytest.fixture(scope="module")
def history():
    """Ten simulated minutes of each default market, looked at each 100 ms: the book and a list of numbers for each."""
    looks = {}
    for config in default_markets():
        book = MarketSimulation(config, seed=1, start_ns=0)
        events, spread, mid, imbalance = [], [], [], []
        shape = [0] * 100
        for step in range(1, 6_001):
            before = book.num_events
            book.advance(step * SECOND // 10)
            events.append(book.num_events - before)
            bid, ask = book.bids.best, book.asks.best
            spread.append(ask - bid)
            mid.append((ask + bid) / 2)
            sizes = book.bids.lots[bid], book.asks.lots[ask]
            imbalance.append((sizes[0] - sizes[1]) / sum(sizes))
            if step % 50 == 0:
                ticks = book.bids.ticks()
                shape = [a + book.bids.lots[tick] for a, tick in zip(shape, ticks, strict=False)]
        looks[config.symbol] = (book, events, spread, mid, imbalance, shape)
    return looks


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
def test_it_looks_like_a_market(history, symbol):
    book, events, spread, mid, imbalance, shape = history[symbol]
    config = book.config

    # Several hundred levels a side, and about as many orders as cancellations proportional to them allow.
    assert min(len(book.bids), len(book.asks)) > 200
    assert 0.6 < book.resting_orders / (2 * config.orders_per_side) < 1.0
    # A spread of a few ticks, at times of one, at times of many.
    assert 2 <= median(spread) <= 8
    assert min(spread) == 1
    assert max(spread) >= 20
    # The book is a hump: more behind the best than at it, and less again far away.
    assert max(shape[10:50]) > 1.3 * shape[0]
    assert max(shape[10:50]) > 1.2 * shape[99]
    # The mid wanders, the more the longer one waits; the imbalance moves, and remembers.
    moves = {lag: pvariance([b - a for a, b in zip(mid[::lag], mid[lag::lag], strict=False)]) for lag in (10, 100)}
    assert moves[100] > 2.0 * moves[10] > 0.0
    assert pvariance(imbalance) > 0.1
    assert 0.5 < correlation(imbalance[:-1], imbalance[1:]) < 0.99
    # Arrivals come in clusters, at the configured rate (standard error about 1 / (1 - n) * sqrt(rate / T)).
    assert mean(events) * 10 == pytest.approx(config.rate, abs=4 * 2.5 * (config.rate / 600) ** 0.5)
    assert correlation(events[:-1], events[1:]) > 0.1
    assert pvariance(events) / mean(events) > 1.1


def test_a_side_at_its_minimum_is_not_taken_from():
    config = replace(
        default_markets()[0], orders_per_side=40, min_levels=10, market_ratio=5.0, market_lots=1e9, max_distance=100
    )
    book = MarketSimulation(config, seed=2, start_ns=0)
    least = []
    for step in range(1, 600):
        book.advance(step * SECOND // 10)
        least.append(min(len(book.bids), len(book.asks)))
        check(book)
    assert min(least) == 10


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x", "", "0.000000001"])
def test_units_are_exact_or_refused(text):
    assert to_units("0.00000001") == 1
    assert to_units("60000") == 6_000_000_000_000
    with pytest.raises(ValueError, match="decimal string"):
        to_units(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbol": "btcusdt"},
        {"symbol": "ETHUSDT"},
        {"mid": "10"},
        {"min_levels": 1},
        {"min_levels": 800},
        {"tick_size": "0"},
        {"max_distance": 10},
    ],
)
def test_a_market_that_cannot_be_is_refused(wrong):
    good = {"symbol": "BTCUSDT", "base_asset": "BTC", "quote_asset": "USDT", "mid": "60000"}
    MarketConfig(**good)
    with pytest.raises(ValueError, match="expected"):
        MarketConfig(**(good | wrong))
