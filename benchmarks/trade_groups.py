"""What the groups of `trade_metrics` share: the workload, compiled kernels, floors, and agreement before timing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import Case, disagreements
from quantjax import lob
from quantjax.lob.trades import TradeSeries

__all__ = ["COUNT", "LOT_SIZE", "Group", "agree", "compiled", "first_calls", "floor", "inputs"]

COUNT, LOT_SIZE = 1_000_000, 1e-3


class Group(NamedTuple):
    """The cases of one group, and what its first calls took: `compile_ms` of a kernel, or of a driver `first_call_ms`
    and `other_length_ms`, the first call with a few trades fewer. numpy on the host compiles nothing."""

    cases: list[Case]
    first: dict[str, float]


def inputs() -> tuple[TradeSeries, lob.BookSeries]:
    """A day of a million trades and a million books, a tenth of the trades at the mid."""
    rng = np.random.default_rng(0)
    book_ns, trade_ns = (np.sort(rng.integers(0, 86_400 * 10**9, COUNT)) for _ in range(2))
    tick = 10_000 + np.cumsum(rng.integers(-1, 2, COUNT) * (rng.random(COUNT) < 0.1))
    bid, ask = tick * 0.01, (tick + rng.geometric(0.5, COUNT)) * 0.01
    size = rng.integers(1, 100, (2, COUNT, 1)).astype(float)
    book = lob.Book(bid[:, None], size[0], ask[:, None], size[1])
    series = lob.BookSeries(book_ns, book, "BENCH", 0.01)
    row = np.maximum(np.searchsorted(book_ns, trade_ns) - 1, 0)
    side = rng.choice([-1, 1], COUNT)
    inside = rng.random(COUNT) < 0.1
    price = np.where(inside, 0.5 * (bid[row] + ask[row]), np.where(side > 0, ask[row], bid[row]))
    quantity = rng.integers(1, 5_000, COUNT) * LOT_SIZE
    return TradeSeries(trade_ns, price, quantity, side, "BENCH"), series


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., Any], dict[str, float]]:
    """The compiled function, and the milliseconds that took."""
    lowered = jax.jit(function).lower(*arguments)
    start = time.perf_counter()
    kernel = lowered.compile()
    return kernel, {"compile_ms": _milliseconds_since(start)}


def first_calls(driver: Callable[[TradeSeries], Any], trades: TradeSeries) -> dict[str, float]:
    """Milliseconds of the first call of a driver, and of its first call with a few trades fewer."""
    start = time.perf_counter()
    driver(trades)
    first_call_ms = _milliseconds_since(start)
    start = time.perf_counter()
    driver(trades[:-1234])
    return {"first_call_ms": first_call_ms, "other_length_ms": _milliseconds_since(start)}


@jax.jit
def _sum(arrays: Any) -> Any:
    return jax.tree.map(jnp.sum, arrays)


def floor(*arrays: Any) -> Case:
    """Reading the inputs once."""
    there = [jnp.asarray(array) for array in arrays]
    return Case(f"floor {sum(a.nbytes for a in there) / 1e6:.0f} MB", lambda: jax.block_until_ready(_sum(there)))


def agree(actual: dict[str, Any], expected: dict[str, Any], tolerance: float = 1e-9) -> None:
    """Raise where quantjax and numpy disagree."""
    if found := disagreements(actual, expected, relative=tolerance, absolute=tolerance):
        raise AssertionError(f"quantjax and numpy disagree, by number of values: {found}")


def _milliseconds_since(start: float) -> float:
    return round(1e3 * (time.perf_counter() - start), 1)
