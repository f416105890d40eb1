"""Imbalance bars: a bar closes when the signed flow since its beginning is larger than expected."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from quantjax.lob.bars.blocks import closing_rows
from quantjax.lob.bars.cuts import BarKind, Cuts, cuts_at_closes
from quantjax.lob.trades import TradeSeries

__all__ = ["AdaptiveThreshold", "FixedThreshold", "ImbalanceBars", "ImbalanceState", "imbalance_closes"]

_UNBOUNDED = np.iinfo(np.int32).max


class FixedThreshold(eqx.Module):
    """A bar closes when |theta| >= `threshold`, in the unit of the imbalance. Raises ValueError unless it is > 0.

    >>> FixedThreshold(25.0)
    FixedThreshold(threshold=25.0)
    """

    threshold: float = eqx.field(static=True)

    def __check_init__(self):
        if not (self.threshold > 0 and np.isfinite(self.threshold)):
            raise ValueError(f"expected threshold > 0 and finite, got {self.threshold}")


class AdaptiveThreshold(eqx.Module):
    """A bar closes when |theta| >= E[T] |E[x]|, the imbalance expected of a bar, and both follow the bars before.

    E[T] is the expected number of trades of a bar, E[x] the expected imbalance of a trade: 2 P[b = 1] - 1 where trades
    are counted, 2 v+ - E[v] where they are weighted. When a bar of T trades closes at theta,

        E[T] <- E[T] + a (T - E[T]),   E[x] <- E[x] + a (theta / T - E[x]),   a = 2 / (span + 1).

    Arguments, all to be given but the bounds: `expected_trades` and `expected_imbalance`, E[T] and E[x] before the
    first bar, the latter signed and in the unit of the imbalance; `span` >= 1, in bars. `min_trades`, `max_trades`: no
    bar has fewer trades, and one with as many closes whatever its imbalance.

    The rule is known to run away: a bar that closes late raises E[T], by it the threshold, and the next is later still,
    and where E[x] comes near 0 every trade closes a bar. The bounds on T are bounds on E[T] too, and so stop the first;
    `min_trades` bounds the harm of the second. Look at the counts of the bars.

    Raises ValueError for numbers out of these ranges, and for `expected_trades` outside the bounds.
    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, section 2.3.2.1-2; there E[x] is averaged
    over trades, here over the bars, as is E[T].
    """

    expected_trades: float = eqx.field(static=True, kw_only=True)
    expected_imbalance: float = eqx.field(static=True, kw_only=True)
    span: float = eqx.field(static=True, kw_only=True)
    min_trades: int = eqx.field(static=True, default=1, kw_only=True)
    max_trades: int | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self):
        most = _UNBOUNDED if self.max_trades is None else self.max_trades
        if not 1 <= self.min_trades <= most <= _UNBOUNDED:
            raise ValueError(
                f"expected 1 <= min_trades <= max_trades < 2**31, got {self.min_trades} and {self.max_trades}"
            )
        if not self.min_trades <= self.expected_trades <= most:
            raise ValueError(
                f"expected expected_trades from min_trades {self.min_trades} to max_trades {self.max_trades}, got "
                f"{self.expected_trades}"
            )
        if not (np.isfinite(self.expected_imbalance) and self.expected_imbalance != 0):
            raise ValueError(
                f"expected expected_imbalance finite and not 0, got {self.expected_imbalance}; with 0 every trade "
                "would close a bar"
            )
        if not self.span >= 1:
            raise ValueError(f"expected span >= 1 bar, got {self.span}")


class ImbalanceState(eqx.Module):
    """Where the rule stands: imbalance and trades of the open bar, and what is expected of a bar; scalars."""

    theta: Float[jax.Array, ""]
    trades: Int[jax.Array, ""]
    expected_trades: Float[jax.Array, ""]
    expected_imbalance: Float[jax.Array, ""]

    @classmethod
    def begin(cls, threshold: FixedThreshold | AdaptiveThreshold, dtype: Any = float) -> ImbalanceState:
        """The state before the first trade."""
        if isinstance(threshold, FixedThreshold):
            expected = (1.0, threshold.threshold)
        else:
            expected = (threshold.expected_trades, threshold.expected_imbalance)
        return cls(jnp.zeros((), dtype), jnp.zeros((), jnp.int32), *(jnp.asarray(value, dtype) for value in expected))


def imbalance_closes(
    signed: Float[jax.Array, " trade"],
    threshold: FixedThreshold | AdaptiveThreshold,
    state: ImbalanceState | None = None,
    count=None,
) -> tuple[ImbalanceState, Bool[jax.Array, " trade"]]:
    """Which trades close an imbalance bar: theta_i = theta_{i-1} + x_i, and theta starts at 0 after each.

    Arguments: `signed` x_i, `[trade]`: the side b_i, b_i times size or b_i times notional; `threshold`; `state` before
    the first trade, by default `ImbalanceState.begin(threshold)`; `count`: only so many trades are there, the rest is
    padding. Returns the state after the last trade, to go on from, and the closing trades, bool `[trade]`: those with
    |theta_i| >= E[T] |E[x]|, within the bounds of the threshold. A NaN closes no bar, nor does any trade after it but
    at `max_trades`, where theta and E[x] are NaN for good.

    Per item; traceable.

    >>> state, closes = imbalance_closes(jnp.array([1.0, -1.0, 1.0, 1.0, -1.0]), FixedThreshold(2.0))
    >>> closes.tolist(), float(state.theta)
    ([False, False, False, True, False], -1.0)
    """
    signed = jnp.asarray(signed)
    dtype = signed.dtype
    start = ImbalanceState.begin(threshold, dtype) if state is None else state
    present = jnp.arange(signed.shape[0]) < (signed.shape[0] if count is None else count)
    if isinstance(threshold, FixedThreshold):
        gain, least, most = 0.0, 1, _UNBOUNDED
    else:
        gain, least = 2.0 / (threshold.span + 1.0), threshold.min_trades
        most = _UNBOUNDED if threshold.max_trades is None else threshold.max_trades
    gain = jnp.asarray(gain, dtype)
    zero = jnp.zeros((), dtype)

    def step(state: ImbalanceState, item):
        x, here = item
        theta, trades = state.theta + x, state.trades + here
        over = jnp.abs(theta) >= state.expected_trades * jnp.abs(state.expected_imbalance)
        close = here & ((over & (trades >= least)) | (trades >= most))
        observed = trades.astype(dtype)
        per_trade = theta / jnp.maximum(observed, 1)
        # The selects also keep product and sum from being fused into one operation with one rounding.
        trades_gain = jnp.where(close, gain * (observed - state.expected_trades), zero)
        imbalance_gain = jnp.where(close, gain * (per_trade - state.expected_imbalance), zero)
        after = ImbalanceState(
            jnp.where(close, zero, theta),
            jnp.where(close, 0, trades),
            state.expected_trades + trades_gain,
            state.expected_imbalance + imbalance_gain,
        )
        return after, close

    return jax.lax.scan(step, start, (signed, present), unroll=4)


class ImbalanceBars(BarKind):
    """Bars that close when the imbalance theta of the takers is large: theta = sum b_i x_i over the bar, b_i the side.

    Arguments: `of`: "tick" (x = 1), "volume" (x the size) or "notional" (x price times size); `threshold`:
    FixedThreshold or AdaptiveThreshold. A trade of unknown side adds nothing to theta, though it counts as a trade:
    sign trades first where their sides are not known. Sums are floating, in the dtype and the order of the trades.

    Raises ValueError for another `of` and TypeError for another threshold. Source: Lopez de Prado (2018), Advances in
    Financial Machine Learning, section 2.3.2.

    >>> ImbalanceBars("tick", FixedThreshold(25.0))
    ImbalanceBars(of='tick', threshold=FixedThreshold(threshold=25.0))
    """

    of: Literal["tick", "volume", "notional"] = eqx.field(static=True)
    threshold: FixedThreshold | AdaptiveThreshold = eqx.field(static=True)

    def __check_init__(self):
        if self.of not in ("tick", "volume", "notional"):
            raise ValueError(f"expected of as 'tick', 'volume' or 'notional', got {self.of!r}")
        if not isinstance(self.threshold, FixedThreshold | AdaptiveThreshold):
            raise TypeError(f"expected threshold as FixedThreshold or AdaptiveThreshold, got {self.threshold!r}")

    def cut(self, trades: list[TradeSeries]) -> list[Cuts]:
        return [self._cut(one) for one in trades]

    def _cut(self, trades: TradeSeries) -> Cuts:
        side, size = np.asarray(trades.side), np.asarray(trades.size)
        signed = side.astype(size.dtype)
        if self.of == "volume":
            signed = signed * size
        elif self.of == "notional":
            signed = signed * (np.asarray(trades.price) * size)

        def step(state, block, count):
            return _closes(block, self.threshold, state, count)

        rows = closing_rows(step, ImbalanceState.begin(self.threshold, signed.dtype), signed)
        return cuts_at_closes(np.asarray(trades.time_ns), rows)


_closes = partial(jax.jit, static_argnames="threshold")(imbalance_closes)
