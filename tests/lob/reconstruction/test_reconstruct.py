"""Reconstruction is exactly what a dict of the levels gives, whatever the stream."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantjax import lob
from quantjax.lob.reconstruction import rows
from quantjax.lob.reconstruction.kernel import last_updates
from tests.lob.reconstruction.streams import assert_books, random_stream


def times(updates: lob.LevelUpdates, count: int, seed: int = 0) -> np.ndarray:
    """Random times over the stream and a little beyond, some of them equal to times of updates."""
    rng = np.random.default_rng(seed)
    last = int(updates.time_ns[-1]) if len(updates) else 10
    chosen = rng.choice(updates.time_ns, count // 2) if len(updates) else np.zeros(0, np.int64)
    return np.sort(np.concatenate([rng.integers(0, last + 10, count - count // 2), chosen]))


@pytest.mark.parametrize(("levels", "num_times"), [(1, 1_000), (5, 1), (5, 40), (5, 1_000), (20, 5_000)])
def test_equals_the_dict(levels: int, num_times: int):
    snapshot, updates = random_stream(4_000, seed=levels)
    series = lob.reconstruct(snapshot, updates, times(updates, num_times), levels)
    assert_books(series, snapshot, updates, levels)
    assert series.symbol == "XYZ"
    assert series.tick_size == 0.01


def test_a_book_of_thousands_of_levels_that_drifts_away():
    """More levels than any window, and no price of the beginning left in use at the end."""
    snapshot, updates = random_stream(60_000, seed=3, reach=4_000, drift=200_000)
    series = lob.reconstruct(snapshot, updates, times(updates, 60), 50)
    assert_books(series, snapshot, updates, 50)


def test_a_price_far_away_from_all_others():
    """Stub quotes: a table of all prices in between would not fit memory."""
    snapshot, updates = random_stream(3_000, seed=5)
    stub = replace(snapshot, tick=snapshot.tick.copy())
    stub.tick[:2] = 1, 10**12
    stub.side[:2] = 1, -1
    series = lob.reconstruct(stub, updates, times(updates, 50), 60)
    assert_books(series, stub, updates, 60)


@pytest.mark.parametrize("ticks_an_update", [1, 0])
def test_every_way_to_find_a_cell(monkeypatch: pytest.MonkeyPatch, ticks_an_update: int):
    """A table of the prices' cells, and a binary search; the other tests have a cell for every tick."""
    monkeypatch.setattr(grids, "_DENSE_TICKS", 10)
    monkeypatch.setattr(grids, "_TABLE_TICKS_AN_UPDATE", ticks_an_update)
    snapshot, updates = random_stream(2_000, seed=8)
    grid = lob.price_grid([snapshot, updates])
    assert (grid.rank is None) == (ticks_an_update == 0)
    assert int(grid.cell(jnp.asarray(updates.tick.max() + 1))) == -1
    assert_books(lob.reconstruct(snapshot, updates, times(updates, 100), 10), snapshot, updates, 10)


@pytest.mark.parametrize("lanes", [1, 100])
def test_lanes_do_not_matter(lanes: int):
    snapshot, updates = random_stream(4_000, seed=2)
    at = times(updates, 500)
    expected = lob.reconstruct(snapshot, updates, at, 5)
    assert_books(lob.reconstruct(snapshot, updates, at, 5, lanes=lanes), snapshot, updates, 5)
    found = lob.reconstruct(snapshot, updates, at, 5, lanes=lanes)
    jax.tree.map(np.testing.assert_array_equal, found.book, expected.book)


grids = importlib.import_module("quantjax.lob.reconstruction.price_grid")  # the package has a function of that name


LEVEL = st.tuples(st.sampled_from([1, -1]), st.integers(1, 12), st.sampled_from([0.0, 1.0, 2.5]))


@settings(max_examples=150)
@given(st.lists(LEVEL, max_size=40), st.lists(LEVEL, max_size=8), st.lists(st.integers(0, 12), min_size=1, max_size=6))
def test_any_small_stream(rows, first, at):
    """Repeated prices at one time, deletions of what is not there, empty sides and crossed books."""

    def stream(rows, time_ns):
        side, tick, size = zip(*rows, strict=True) if rows else ((), (), ())
        return lob.LevelUpdates(
            np.asarray(time_ns, np.int64), np.array(side, np.int64), np.array(tick, np.int64), np.array(size), 0.5, "A"
        )

    snapshot, updates = stream(first, [0] * len(first)), stream(rows, [n // 4 for n in range(len(rows))])
    series = lob.reconstruct(snapshot, updates, np.sort(np.array(at, np.int64)), 3)
    assert_books(series, snapshot, updates, 3)


def test_an_empty_stream_keeps_the_snapshot():
    snapshot, updates = random_stream(100, seed=1)
    series = lob.reconstruct(snapshot, updates[:0], np.array([0, 5]), 4)
    assert_books(series, snapshot, updates[:0], 4)
    nothing = lob.reconstruct(snapshot[:0], updates[:0], np.array([3]), 2)
    assert not nothing.book.bid_size.any()
    assert len(lob.reconstruct(snapshot, updates, np.array([], np.int64), 2)) == 0


def test_streams_of_about_the_same_size_share_compiled_kernels():
    compiled = (last_updates, rows._encode, rows._at_times)
    before = [function._cache_size() for function in compiled]
    snapshot, updates = random_stream(9_800, seed=4, reach=31)
    grid = lob.price_grid([snapshot, updates])
    for count in range(9_300, 9_800, 50):
        lob.reconstruct(snapshot, updates[:count], np.arange(0, 40_000, 100), 7, grid=grid)
    assert all(function._cache_size() - start <= 2 for function, start in zip(compiled, before, strict=True))


@pytest.mark.parametrize("drift", [3, 30])  # ranges of prices that have a cell for every tick, and one that has not
def test_jit_and_vmap_equal_the_host(drift: int):
    streams = [random_stream(1_500 + 100 * seed, seed=seed, drift=drift**seed) for seed in range(5)]
    at = [times(updates, 60 + seed, seed) for seed, (_, updates) in enumerate(streams)]
    batch = lob.stack_streams([s for s, _ in streams], [u for _, u in streams], at)
    traces = []

    @jax.jit
    def all_books(batch):
        traces.append(1)
        return batch.reconstruct(6)

    for _ in range(2):
        series = all_books(batch)
    assert len(traces) == 1
    for number, (snapshot, updates) in enumerate(streams):
        count = int(batch.num_times[number])
        one = lob.BookSeries(series.time_ns[number, :count], series.book[number, :count], "XYZ", 0.01)
        assert_books(one, snapshot, updates, 6)
    # Padding asks for the last time again.
    np.testing.assert_array_equal(series.book.bid_price[0, -1], series.book.bid_price[0, batch.num_times[0] - 1])


def test_what_is_not_known_is_nan_under_tracing():
    snapshot, updates = random_stream(100, seed=1)
    snapshot = replace(snapshot, time_ns=snapshot.time_ns + 50)
    grid = lob.price_grid([snapshot, updates])

    @jax.jit
    def books(updates, at, grid):
        return lob.reconstruct(snapshot, updates, at, 4, grid=grid).book

    at = np.array([0, 49, 50])
    assert np.isnan(books(updates, at, grid).bid_size).all(axis=-1).tolist() == [True, True, False]
    # A price that the grid has no cell for could be any level.
    strange = replace(updates, tick=np.where(np.arange(100) == 7, 10**7, updates.tick))
    assert np.isnan(books(strange, at, grid).bid_size).all()
    negative = replace(updates, size=np.where(updates.size > 0, -1.0, 0.0), time_ns=updates.time_ns * 0 + 50)
    assert np.isnan(books(negative, at, grid).bid_size[2]).any()


def test_a_grid_that_lacks_a_price_is_refused():
    snapshot, updates = random_stream(100, seed=1)
    far = replace(updates, tick=np.where(np.arange(100) == 7, 10**7, updates.tick))
    with pytest.raises(ValueError, match="without those of 1 updates"):
        lob.reconstruct(snapshot, far, np.array([50]), grid=lob.price_grid([snapshot, updates]))


def test_times_as_datetimes():
    snapshot, updates = random_stream(100, seed=1)
    at = np.array([10, 200])
    expected = lob.reconstruct(snapshot, updates, at, 4)
    index = pd.DatetimeIndex(at, tz="UTC")
    for times in (at.astype("datetime64[ns]"), at.tolist(), index, index.tz_convert("Asia/Tokyo")):
        found = lob.reconstruct(snapshot, updates, times, 4)
        assert found.time_ns.tolist() == at.tolist()
        jax.tree.map(np.testing.assert_array_equal, found.book, expected.book)


def test_nothing_under_tracing():
    snapshot, updates = random_stream(100, seed=1)
    grid = lob.price_grid([snapshot, updates])
    none = jax.jit(lambda at: lob.reconstruct(snapshot, updates, at, 4, grid=grid))(np.zeros(0, np.int64))
    assert none.book.bid_size.shape == (0, 4)
    empty = jax.jit(lambda at: lob.reconstruct(snapshot[:0], updates[:0], at, 4, grid=grid))(np.array([5]))
    assert not empty.book.bid_size.any()


def test_sizes_are_differentiable():
    """A size at the top is that of the update that set it: the gradient counts how often each update is seen."""
    snapshot, updates = random_stream(300, seed=6)
    at, grid = times(updates, 40), lob.price_grid([snapshot, updates])

    def total(sizes):
        return lob.reconstruct(snapshot, replace(updates, size=sizes), at, 3, grid=grid).book.bid_size.sum()

    gradient = jax.grad(total)(jnp.asarray(updates.size))
    seen = np.flatnonzero(gradient)
    assert len(seen)
    assert float(gradient @ updates.size) <= float(total(jnp.asarray(updates.size)))
    row, step = int(seen[0]), 1e-3
    moved = total(jnp.asarray(updates.size).at[row].add(step)) - total(jnp.asarray(updates.size))
    assert float(moved) / step == pytest.approx(float(gradient[row]), rel=1e-6)


def test_float32_sizes():
    snapshot, updates = random_stream(1_000, seed=7, dtype=np.float32)
    series = lob.reconstruct(snapshot, updates, times(updates, 30), 5)
    assert series.book.bid_price.dtype == np.float32
    assert_books(series, snapshot, updates, 5)


def test_without_x64_mode():
    code = """
import numpy as np
from quantjax import lob
from tests.lob.reconstruction.streams import assert_books, random_stream
for lowest in (10**5, 10**11):
    snapshot, updates = random_stream(1_000, seed=7, dtype=np.float32, lowest=lowest)
    series = lob.reconstruct(snapshot, updates, np.arange(0, 5_000, 100), 5)
    assert series.book.bid_price.dtype == np.float32
    assert_books(series, snapshot, updates, 5)
try:
    snapshot.tick[0] = 1
    snapshot.side[0] = 1
    lob.reconstruct(snapshot, updates, np.array([1]))
except ValueError as error:
    assert "jax_enable_x64" in str(error)
else:
    raise AssertionError("expected an error")
snapshot, updates = random_stream(100, seed=7, dtype=np.float32)
try:
    lob.stack_streams([snapshot], [updates], [np.array([5])]).reconstruct()
except ValueError as error:
    assert "jax_enable_x64" in str(error)
else:
    raise AssertionError("expected an error")
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda u: replace(u, time_ns=u.time_ns[::-1].copy()), "out of order, the first in row 1"),
        (lambda u: replace(u, size=np.where(np.arange(len(u)) == 7, -1.0, u.size)), "1 negative, the first in row 7"),
        (lambda u: replace(u, size=np.where(np.arange(len(u)) == 3, np.nan, u.size)), "1 not finite.*row 3"),
        (lambda u: replace(u, side=np.where(np.arange(len(u)) == 5, 2, u.side)), "unknown side.*row 5"),
        (lambda u: replace(u, symbol="ABC"), "one symbol.*XYZ.*ABC"),
        (lambda u: replace(u, tick_size=0.1), "one tick size"),
        (lambda u: replace(u, size=u.size.astype(np.float32)), "one dtype, got a snapshot of float64"),
        (lambda u: replace(u, time_ns=u.time_ns - 3), r"from the snapshot's time on \(0\), got 2 before it"),
    ],
)
def test_faults_are_refused(change, message: str):
    snapshot, updates = random_stream(100, seed=1)
    updates = replace(updates, time_ns=np.arange(1, 101))
    with pytest.raises(ValueError, match=message):
        lob.reconstruct(snapshot, change(updates), np.array([50, 60]))


def test_what_is_known_before_tracing():
    snapshot, updates = random_stream(100, seed=1)
    with pytest.raises(TypeError, match=r"expected snapshot as a lob.LevelUpdates, got NoneType.*updates\[:0\]"):
        lob.reconstruct(None, updates, np.array([50]))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="levels as an integer >= 1"):
        lob.reconstruct(snapshot, updates, np.array([50]), 0)
    with pytest.raises(ValueError, match="lanes as an integer >= 1"):
        lob.reconstruct(snapshot, updates, np.array([50]), lanes=0)
    with pytest.raises(TypeError, match=r"integer nanoseconds.*got float64\[1\]"):
        lob.reconstruct(snapshot, updates, np.array([0.5]))
    with pytest.raises(ValueError, match="in order"):
        lob.reconstruct(snapshot, updates, np.array([60, 50]))
    with pytest.raises(ValueError, match="grid under tracing"):
        jax.jit(lambda at: lob.reconstruct(snapshot, updates, at))(np.array([50]))
    late = replace(snapshot, time_ns=snapshot.time_ns + 55)
    with pytest.raises(ValueError, match=r"times from the snapshot's on \(55\), got 1 before it"):
        lob.reconstruct(late, updates[updates.time_ns > 55], np.array([50, 60]))


def test_streams_are_checked_before_they_are_stacked():
    snapshot, updates = random_stream(100, seed=1)
    with pytest.raises(ValueError, match="got 1, 1 and 0"):
        lob.stack_streams([snapshot], [updates], [])
    with pytest.raises(ValueError, match=r"stream 0 \(XYZ\): expected at least one time"):
        lob.stack_streams([snapshot], [updates], [np.array([], np.int64)])
    with pytest.raises(ValueError, match=r"stream 0 \(XYZ\): expected one tick size"):
        lob.stack_streams([replace(snapshot, tick_size=0.1)], [updates], [np.array([9])])
    with pytest.raises(ValueError, match="stream 0: expected one symbol"):
        lob.stack_streams([replace(snapshot, symbol="ABC")], [updates], [np.array([9])])
    bad = replace(updates, size=-updates.size - 1)
    with pytest.raises(ValueError, match=r"stream 1 \(XYZ\): .*negative"):
        lob.stack_streams([snapshot, snapshot], [updates, bad], [np.array([9])] * 2)
