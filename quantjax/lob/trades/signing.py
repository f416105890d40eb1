"""Who started a trade, guessed from prices: tick test, quote test, Lee & Ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int8

from quantjax.lob.book import BookSeries
from quantjax.lob.padding import cut_to, padded
from quantjax.lob.trades.join import JoinedTrades, join_trades
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.validation import require_valid

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TradeSigns", "lee_ready", "quote_test", "sign_trades", "tick_test"]

_RULES = ("tick_test", "quote_test", "lee_ready")


def tick_test(price: Float[jax.Array, " trade"]) -> Int8[jax.Array, " trade"]:
    """Sign of the last price change: +1 after a rise, -1 after a fall, against the last different price.

    D_i = sign(p_i - p_j), j = max{j < i : p_j != p_i}. 0 before the first change, and for a NaN price, which the trades
    after it look past. `price` `[trade]`, in order; int8 `[trade]`. Per item. Source: Lee & Ready (1991), Inferring
    trade direction from intraday data, Journal of Finance 46(2), section I.

    >>> tick_test(jnp.array([10.0, 10.0, 11.0, 11.0, 9.0])).tolist()
    [0, 0, 1, 1, -1]
    """
    price = jnp.asarray(price)
    if price.ndim != 1:
        raise ValueError(f"expected price as [trade], got shape {list(price.shape)}; jax.vmap takes several items")
    if price.size == 0:
        return jnp.zeros(0, jnp.int8)
    # On a CPU a scan step is a few instructions (7 ms a million; the associative scan takes 27); on a GPU each step
    # would be a kernel launch, and the associative scan is some twenty of them in all.
    sign = jax.lax.platform_dependent(price, cpu=_tick_scan, default=_tick_associative)
    return jnp.where(jnp.isnan(price), jnp.int8(0), sign)


def quote_test(price: Float[jax.Array, "*batch"], mid: Float[jax.Array, "*batch"]) -> Int8[jax.Array, "*batch"]:
    """Side of the mid that the price is on: D = sign(p - m), +1 above, -1 below, 0 at the mid or where either is NaN.

    A price is at the mid where |p - m| <= 2 eps |p|, eps that of the coarser of the two dtypes: decimal prices have no
    binary digits, and half the sum of a rounded bid and a rounded ask is as much as 3/2 eps off the rounded price
    between them. (float32 prices above two million ticks cannot tell half a tick from none.) int8 `[...]`.
    Broadcasting. Source: Lee & Ready (1991), section II.

    >>> quote_test(jnp.array([10.0, 10.5, 11.0]), 10.5).tolist()
    [-1, 0, 1]
    """
    price, mid = (jnp.asarray(array, jnp.result_type(array, 0.0)) for array in (price, mid))
    eps = max(float(jnp.finfo(price.dtype).eps), float(jnp.finfo(mid.dtype).eps))
    away = jnp.abs(price - mid) > 2 * eps * jnp.abs(price)
    return ((price > mid) & away).astype(jnp.int8) - ((price < mid) & away).astype(jnp.int8)


def lee_ready(price: Float[jax.Array, " trade"], mid: Float[jax.Array, " trade"]) -> Int8[jax.Array, " trade"]:
    """Quote test against the prevailing mid; the tick test for trades at the mid and where there is no mid (NaN).

    `price` and `mid` `[trade]`, in order, the mid of the book that stood before the trade (`join_trades`, whose
    `quote_delay_s`, default 0, is the paper's 5 s); int8 `[trade]`, 0 where the tick test knows nothing either. Per
    item. Source: Lee & Ready (1991), section IV.

    >>> lee_ready(jnp.array([10.0, 10.5, 10.5, 11.0]), jnp.array([10.2, 10.5, 10.6, 10.5])).tolist()
    [-1, 1, -1, 1]
    """
    quote = quote_test(price, mid)
    return jnp.where(quote != 0, quote, tick_test(price))


class TradeSigns(eqx.Module):
    """Guessed sides of trades: `tick_test`, `quote_test`, `lee_ready`, int8 `[trade]`; `side`, the recorded ones;
    `joined`, the books they were compared with."""

    tick_test: np.ndarray
    quote_test: np.ndarray
    lee_ready: np.ndarray
    side: np.ndarray
    joined: JoinedTrades

    @property
    def accuracy(self) -> dict[str, float]:
        """Share of the trades of a known side that each rule gets right, a guess of 0 is wrong; NaN for no trades."""
        known = self.side != 0
        return {
            rule: float(np.mean(getattr(self, rule)[known] == self.side[known])) if known.any() else float("nan")
            for rule in _RULES
        }

    @property
    def counts(self) -> dict[str, int]:
        """Trades without a known side, those each rule leaves at 0, and the counts of the join."""
        undecided = {f"{rule}_undecided": int(np.count_nonzero(getattr(self, rule) == 0)) for rule in _RULES}
        return {"unknown_side": int(np.count_nonzero(self.side == 0)), **undecided, **self.joined.counts}

    def to_pandas(self) -> pd.DataFrame:
        """The columns of the join, the recorded side and the guesses, indexed by UTC time."""
        frame = self.joined.to_pandas()
        return frame.assign(side=self.side, **{rule: getattr(self, rule) for rule in _RULES})


def sign_trades(
    trades: TradeSeries, series: BookSeries, *, allow_equal: bool = False, quote_delay_s: float = 0.0
) -> TradeSigns:
    """Sides of trades by tick test, quote test and Lee & Ready, beside the recorded ones. Driver.

    Arguments and errors as in `join_trades`; ValueError also for bad prices, sizes or sides (`lob.clean_trades` drops
    them). Prices are compared with mids in the dtype of the prices. The tick test takes the trades in the order they
    are in; those that go back in time are counted (`counts["clock_went_back"]`).
    """
    require_valid(trades)
    joined = join_trades(trades, series, allow_equal=allow_equal, quote_delay_s=quote_delay_s)
    price = np.asarray(trades.price)
    signs = _all_rules(*padded([price, joined.mid.astype(price.dtype, copy=False)], [np.nan, np.nan]))
    tick, quote, both = (cut_to(len(trades), sign) for sign in signs)
    return TradeSigns(tick, quote, both, np.asarray(trades.side), joined)


@jax.jit
def _all_rules(price: jax.Array, mid: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    tick, quote = tick_test(price), quote_test(price, mid)
    return tick, quote, jnp.where(quote != 0, quote, tick)


def _tick_scan(price: jax.Array) -> jax.Array:
    def step(state, p):
        last, sign = state
        sign = _turn(last, p, sign)
        return (jnp.where(jnp.isnan(p), last, p), sign), sign

    return jax.lax.scan(step, (jnp.asarray(jnp.nan, price.dtype), jnp.int8(0)), price)[1]


def _tick_associative(price: jax.Array) -> jax.Array:
    """A stretch of trades is its last price and the sign of its last change (0: all its prices are equal)."""

    def join(before, after):
        (last_before, sign_before), (last_after, sign_after) = before, after
        sign = jnp.where(sign_after != 0, sign_after, _turn(last_before, last_after, sign_before))
        return jnp.where(jnp.isnan(last_after), last_before, last_after), sign

    return jax.lax.associative_scan(join, (price, jnp.zeros(price.shape, jnp.int8)))[1]


def _turn(last: jax.Array, price: jax.Array, sign: jax.Array) -> jax.Array:
    """Sign of the change from `last`, or the old one: comparisons with NaN are false, so it changes nothing."""
    return jnp.where(price > last, jnp.int8(1), jnp.where(price < last, jnp.int8(-1), sign))
