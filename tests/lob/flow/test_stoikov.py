"""Stoikov's micro-price: the oracle, known chains, the martingale property, mirror images, recorded books."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax import io, lob
from quantjax.lob import flow
from tests.assertions import assert_close
from tests.reference import order_flow as oracle

TICK = 0.25


def quotes(count=600, seed=0) -> list[tuple[int, float, int, float]]:
    """(bid tick, size, ask tick, size): whole lots, so that equal queues and bin edges occur; moves of any size."""
    rng = np.random.default_rng(seed)
    bid_size, ask_size = rng.integers(1, 6, (2, count)).astype(float)
    lean = np.append(0, np.sign(bid_size - ask_size)[:-1])
    moves = np.where(rng.random(count) < 0.5, lean + rng.integers(-1, 2, count), 0)
    bid = 400 + np.cumsum(moves).astype(int)
    spread = rng.choice([1, 2, 3, 5], count, p=[0.6, 0.2, 0.1, 0.1])
    return list(zip(bid.tolist(), bid_size.tolist(), (bid + spread).tolist(), ask_size.tolist(), strict=True))


def series(rows) -> lob.BookSeries:
    bid, bid_size, ask, ask_size = np.array(rows, float).T[..., None]
    return lob.BookSeries(np.arange(len(rows)), lob.Book(bid * TICK, bid_size, ask * TICK, ask_size), "XYZ", TICK)


def mirrored(rows):
    return [(2000 - ask, ask_size, 2000 - bid, bid_size) for bid, bid_size, ask, ask_size in rows]


@pytest.mark.parametrize("bins", [4, 5])
@pytest.mark.parametrize(("num_terms", "shrinkage"), [(1, 0), (6, 0), (3, 20.0)])
def test_equals_the_oracle(bins, num_terms, shrinkage):
    rows = quotes()
    model = flow.fit_stoikov_microprice(
        series(rows), imbalance_bins=bins, max_spread_ticks=3, num_terms=num_terms, shrinkage=shrinkage
    )
    expected = oracle.stoikov(rows, bins, 3, num_terms, shrinkage)
    table = np.full((3, 2 * (bins // 2) + 1), np.nan)
    for (spread, steps), value in expected.items():
        table[spread - 1, bins // 2 + steps] = value
    np.testing.assert_allclose(model.adjustment, table, rtol=1e-9, atol=1e-12)
    assert model.counts == {
        "books": 600,
        "invalid": 0,
        "wide": sum(ask - bid > 3 for bid, _, ask, _ in rows),
        "transitions": 599,
        "large_jumps": 0,
    }
    prices = np.asarray(model(series(rows).book))
    for (bid, bid_size, ask, ask_size), price in zip(rows[:50], prices, strict=False):
        steps = oracle.imbalance_bin(bid_size, ask_size, bins)
        assert_close(price, TICK * ((bid + ask) / 2 + expected[min(ask - bid, 3), steps]), scale=100)


def test_mirror_images_have_mirrored_prices():
    rows = quotes()
    model = flow.fit_stoikov_microprice(series(rows), imbalance_bins=4, max_spread_ticks=3)
    other = flow.fit_stoikov_microprice(series(mirrored(rows)), imbalance_bins=4, max_spread_ticks=3)
    assert_close(other.adjustment, model.adjustment, scale=1e3)
    np.testing.assert_array_equal(model.adjustment[:, ::-1], -model.adjustment)
    assert_close(2000 * TICK - model(series(mirrored(rows)).book), model(series(rows).book), scale=1e3)
    np.testing.assert_allclose(model.imbalance, [0.125, 0.375, 0.5, 0.625, 0.875])


def test_a_fitted_sum_to_convergence_is_a_martingale_of_the_fitted_chain():
    rows = quotes() + mirrored(quotes())
    model = flow.fit_stoikov_microprice(series(rows), imbalance_bins=3, max_spread_ticks=2, shrinkage=0)
    # Within each cell the mean change of micro-price, over the data and its mirror image, is 0.
    both = []
    for data in (rows, mirrored(rows)):
        price = np.asarray(model(series(data).book)) / TICK
        lean = np.array([oracle.imbalance_bin(row[1], row[3], 3) for row in data])
        spread = np.array([min(row[2] - row[0], 2) for row in data])
        both.append((np.diff(price), 10 * spread[:-1] + lean[:-1]))
    change, cell = (np.concatenate(parts) for parts in zip(*both, strict=True))
    for name in np.unique(cell):
        np.testing.assert_allclose(change[cell == name].sum(), 0, atol=1e-9)
    assert model.last_term < 1e-12
    assert model.converged
    six = flow.fit_stoikov_microprice(
        series(rows), imbalance_bins=3, max_spread_ticks=2, num_terms=np.int64(6), shrinkage=0
    )
    assert not flow.fit_stoikov_microprice(series(rows), imbalance_bins=3, max_spread_ticks=2, num_terms=1).converged
    assert np.abs(six.adjustment - model.adjustment).max() <= 10 * six.last_term


def test_a_simulated_chain_gives_back_its_moves():
    """Two spreads, three bins, known Q, R and K: the fit on a long path is within its noise of the exact moves."""
    rng = np.random.default_rng(9)
    up = {-1: 0.05, 0: 0.15, 1: 0.25}
    shares = {-1: 1 / 6, 0: 1 / 2, 1: 5 / 6}
    stay, move = np.zeros((2, 1, 3, 1, 3))
    jumps = np.zeros((1, 3))
    for i in (-1, 0, 1):
        probability_up, probability_down = up[i], up[-i]
        jumps[0, i + 1] = probability_up - probability_down
        # After a move the queue on its far side is thin: the lean turns; otherwise it mostly stays.
        move[0, i + 1, 0, 0], move[0, i + 1, 0, 2] = probability_up, probability_down
        rest = 1 - probability_up - probability_down
        for j in (-1, 0, 1):
            stay[0, i + 1, 0, j + 1] = rest * (0.6 if j == i else 0.2)
    exact = flow.expected_moves(stay, move, jumps)
    # The exact answer by the plain definition: the sum over time of the expected moves.
    transition, term = (stay + move).reshape(3, 3), jumps.ravel()
    total = np.zeros(3)
    for _ in range(500):
        total, term = total + term, transition @ term
    np.testing.assert_allclose(exact.adjustment.ravel(), total, atol=1e-12)

    state, bid, rows = 0, 1000, []
    for uniform in rng.random(60_000):
        rows.append((bid, 60 * shares[state], bid + 1, 60 * (1 - shares[state])))
        weights = np.concatenate([stay[0, state + 1, 0], move[0, state + 1, 0]])
        outcome = int(np.searchsorted(np.cumsum(weights), uniform))
        if outcome >= 3:
            bid += 1 if outcome == 3 else -1
        state = min(outcome, 5) % 3 - 1
    model = flow.fit_stoikov_microprice(series(rows), imbalance_bins=3, max_spread_ticks=1, shrinkage=0)
    np.testing.assert_allclose(model.adjustment, exact.adjustment, atol=0.01)
    # Waiting for each next change estimates the same without the chain in between.
    direct = flow.fit_stoikov_microprice(series(rows), imbalance_bins=3, max_spread_ticks=1, shrinkage=0, horizon=None)
    np.testing.assert_allclose(direct.adjustment, exact.adjustment, atol=0.02)
    np.testing.assert_allclose(direct.first_adjustment, exact.first_adjustment, atol=0.02)


def test_transforms():
    rows = quotes()
    model = flow.fit_stoikov_microprice(series(rows), imbalance_bins=4, max_spread_ticks=3)
    book = series(rows).book
    traces = 0

    @jax.jit
    def price(model, book):
        nonlocal traces
        traces += 1
        return model(book)

    compiled = price(model, book)
    price(model, book)
    assert traces == 1
    assert_close(model(book), compiled)
    assert_close(jax.jit(jax.vmap(lambda book: model(book)))(book), compiled)
    one = jax.jit(lambda book: model(book))
    assert_close(np.stack([one(book[row]) for row in range(3)]), compiled[:3])
    gradient = jax.jit(jax.grad(lambda book: model(book)))(jax.tree.map(jnp.asarray, book[0]))
    assert (gradient.bid_price[0], gradient.ask_price[0], gradient.bid_size[0]) == (0.5, 0.5, 0.0)
    assert list(model.to_pandas().index) == [1, 2, 3]
    single = jax.tree.map(lambda array: array.astype(np.float32), book)
    assert price(model, single).dtype == np.float32
    assert_close(price(model, single), compiled.astype(np.float32))


def test_what_is_left_out_is_counted_and_nan():
    rows = quotes()
    crossed, empty = (400, 5.0, 399, 5.0), (400, 0.0, 401, 5.0)
    model = flow.fit_stoikov_microprice(series(rows), imbalance_bins=4, max_spread_ticks=3)
    np.testing.assert_array_equal(model(series(rows)), model(series(rows).book))
    with_bad = flow.fit_stoikov_microprice(
        series([*rows[:300], crossed, empty, *rows[300:]]), imbalance_bins=4, max_spread_ticks=3
    )
    assert with_bad.counts == {**model.counts, "books": 602, "invalid": 2}
    assert_close(with_bad.adjustment, model.adjustment)
    assert np.isnan(model(series([crossed, empty]).book)).all()
    never_seen = flow.fit_stoikov_microprice(series([(1, 5, 2, 1), (2, 5, 3, 1), (2, 5, 3, 5)]), imbalance_bins=2,
                                             max_spread_ticks=2)  # fmt: skip
    assert np.isnan(never_seen.adjustment[1]).all()
    limited = flow.fit_stoikov_microprice(series(rows), imbalance_bins=4, max_spread_ticks=3, max_jump_ticks=1)
    assert limited.counts["large_jumps"] + limited.counts["transitions"] == 599
    assert limited.counts["large_jumps"] == sum(
        abs(sum(rows[k + 1][::2]) - sum(rows[k][::2])) > 2 for k in range(len(rows) - 1)
    )
    # Two days are counted apart: no transition runs from one to the next.
    days = flow.fit_stoikov_microprice(
        [series(rows), series(rows)], imbalance_bins=4, max_spread_ticks=3, shrinkage=200
    )
    assert days.counts["transitions"] == 2 * 599
    assert_close(days.adjustment, model.adjustment, scale=1e3)


def test_bad_inputs():
    books = series(quotes(50))
    with pytest.raises(ValueError, match="imbalance_bins as an integer >= 2, got 1"):
        flow.fit_stoikov_microprice(books, imbalance_bins=1)
    with pytest.raises(ValueError, match="max_spread_ticks as an integer >= 1, got 0"):
        flow.fit_stoikov_microprice(books, max_spread_ticks=0)
    with pytest.raises(ValueError, match="horizon as an integer >= 1, got 0"):
        flow.fit_stoikov_microprice(books, horizon=0)
    with pytest.raises(ValueError, match=r"multiples of the tick size 0\.4"):
        flow.fit_stoikov_microprice(lob.BookSeries(books.time_ns, books.book, "XYZ", 0.4))
    with pytest.raises(ValueError, match="one tick size, got tick sizes"):
        flow.fit_stoikov_microprice([books, lob.BookSeries(books.time_ns, books.book, "XYZ", 0.125)])
    with pytest.raises(ValueError, match=r"got none: \{'books': 1,"):
        flow.fit_stoikov_microprice(books[:1])
    # A heavy bid after which the price rises, for ever: the sum has no limit.
    runaway = [(k, 5.0, k + 1, 1.0) for k in range(20)]
    with pytest.raises(ValueError, match="does not converge"):
        flow.fit_stoikov_microprice(series(runaway), imbalance_bins=3, max_spread_ticks=1, shrinkage=0)
    finite = flow.fit_stoikov_microprice(
        series(runaway), imbalance_bins=3, max_spread_ticks=1, num_terms=6, shrinkage=0
    )
    assert (finite.adjustment[0, 2], finite.last_term, finite.converged) == (6.0, 1.0, False)
    # With shrinkage it has: of a cell and its mirror image 19 steps and 2 x 10 of rest, so 19 / 20 steps in all.
    shrunk = flow.fit_stoikov_microprice(series(runaway), imbalance_bins=3, max_spread_ticks=1, shrinkage=10)
    np.testing.assert_allclose(shrunk.adjustment[0, 2], 0.95)
    for shrinkage in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match="shrinkage >= 0"):
            flow.fit_stoikov_microprice(books, shrinkage=shrinkage)


@pytest.mark.parametrize(("base", "tick"), [(6_113_455, 0.01), (611_345, 0.1), (3_000_000_000, 1e-8)])
def test_large_prices_fall_into_the_same_cells(base, tick):
    """Bitcoin in float32, and more ticks than an int32 holds."""
    rows = [(bid + base, bid_size, ask + base, ask_size) for bid, bid_size, ask, ask_size in quotes()]
    expected = flow.fit_stoikov_microprice(series(quotes()), imbalance_bins=4, max_spread_ticks=3)
    bid, bid_size, ask, ask_size = np.array(rows).T[..., None]
    book = lob.Book(bid * tick, bid_size, ask * tick, ask_size)
    dtypes = [np.float64] if tick < 1e-3 else [np.float64, np.float32]
    for dtype in dtypes:
        cast = jax.tree.map(lambda array: array.astype(dtype), book)  # noqa: B023
        model = flow.fit_stoikov_microprice(
            lob.BookSeries(np.arange(len(rows)), cast, "XYZ", tick), imbalance_bins=4, max_spread_ticks=3
        )
        np.testing.assert_array_equal(model.count, expected.count)
        np.testing.assert_allclose(model.adjustment, expected.adjustment, rtol=1e-5, atol=1e-9)
        price = np.asarray(model(cast), np.float64) / tick - base
        own = np.asarray(expected(series(quotes()).book)) / TICK
        np.testing.assert_allclose(price, own, atol=0.6 if dtype == np.float32 else 1e-5)


def test_prices_too_coarse_for_their_ticks():
    bid, bid_size, ask, ask_size = np.array(quotes(50), np.float32).T[..., None]
    coarse = lob.Book((bid + 20_000_000) * np.float32(0.01), bid_size, (ask + 20_000_000) * np.float32(0.01), ask_size)
    books = lob.BookSeries(np.arange(50), coarse, "XYZ", 0.01)
    with pytest.raises(ValueError, match=r"dtype tells ticks of 0\.01 apart, got float32"):
        flow.fit_stoikov_microprice(books)
    model = flow.fit_stoikov_microprice(series(quotes(50)))
    assert np.isnan(eqx.tree_at(lambda one: one.tick_size, model, 0.01)(coarse)).all()


def test_only_spreads_that_were_seen_take_memory():
    rows = [*quotes(), (400, 5.0, 3400, 1.0), (400, 5.0, 401, 1.0)]
    model = flow.fit_stoikov_microprice(series(rows), imbalance_bins=np.int64(4), max_spread_ticks=np.int32(3200))
    assert model.adjustment.shape == (3200, 5)
    assert np.flatnonzero(model.count.any(1)).tolist() == [0, 1, 2, 4, 2999]
    with pytest.raises(ValueError, match=r"10005 cells \(5 spreads of 2001 bins\) that take 6\.0 GiB"):
        flow.fit_stoikov_microprice(series(rows), imbalance_bins=2000)
    with pytest.raises(ValueError, match="2 GiB, got"):
        flow.fit_stoikov_microprice(series(rows), max_spread_ticks=10**9)


RECORDINGS = {
    "lobster/AMZN_2012-06-21_34200000_57600000_message_5.csv.gz": (0.0096, 0.0138, 0.0068),
    "binance_raw/spot_btcusdt_20240808.gz": (0.0115, 0.0230, 0.0054),
    "binance_raw/usdm_btcusdt_20240808.gz": (0.0058, 0.0179, 0.0022),
}


@pytest.mark.parametrize("file", RECORDINGS)
def test_recorded_books_out_of_sample(data, file):
    """Fitted with the defaults to half of the books: what it gains on the mid as a forecast in the other half.

    Of the next mid, and of the mid 1 and 10 s later; the weighted mid gains nothing of note. Without shrinkage, as in
    the paper, the forecast of the next mid is worse than the mid itself.
    """
    books = io.read_books(data / file, levels=1).only()
    half = len(books) // 2
    later = books[half:]
    model = flow.fit_stoikov_microprice(books[:half])
    plain = flow.fit_stoikov_microprice(books[:half], num_terms=6, shrinkage=0)
    mid, micro, weighted, unshrunk = map(np.asarray, prices(later.book, model, plain))
    futures = [np.asarray(flow.next_mid(mid)), *(lob.future_mids(later.time_ns, later, s).mid for s in (1.0, 10.0))]
    futures = np.where(np.isnan(micro), np.nan, np.stack(futures))
    candidates = np.stack([micro, weighted, unshrunk])[:, None]
    own, base = (np.nanmean((futures - price) ** 2, axis=-1) for price in (candidates, mid))
    gains, of_weighted, of_unshrunk = 1 - own / base
    np.testing.assert_allclose(gains, RECORDINGS[file], atol=2e-4)
    assert (gains > of_weighted).all()
    assert of_unshrunk[0] < 0
    assert model.converged


@jax.jit
def prices(book, *models):
    return lob.mid(book), models[0](book), lob.microprice(book), models[1](book)
