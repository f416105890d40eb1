"""Imbalance bars: a bar closes when the signed flow since its beginning is larger than expected."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Shaped

from quantjax.lob.bars.blocks import closing_rows, in_parallel
from quantjax.lob.bars.cuts import BarKind, Cuts, cuts_at_closes
from quantjax.lob.bars.imbalance_rules import UNBOUNDED, AdaptiveThreshold, FixedThreshold, ImbalanceState
from quantjax.lob.bars.units import threshold_units, units_of
from quantjax.lob.trades.series import TradeSeries
from quantjax.numerics.arguments import check_positive, plain

__all__ = ["ImbalanceBars", "imbalance_closes"]


def imbalance_closes(
    signed: Shaped[jax.Array, " trade"],
    threshold: FixedThreshold | AdaptiveThreshold,
    state: ImbalanceState | None = None,
    count=None,
) -> tuple[ImbalanceState, Bool[jax.Array, " trade"]]:
    """Which trades close an imbalance bar: theta_i = theta_{i-1} + x_i, and theta starts at 0 after each.

    Arguments: `signed` x_i, `[trade]`: the side b_i, b_i times size or b_i times notional; floating (rounded at each
    addition, in the order of the trades) or integer (exact for a FixedThreshold, taken as floating for an adaptive
    one); `threshold`; `state` before the first trade, by default `ImbalanceState.begin(threshold, signed.dtype)`;
    `count`: only so many trades are there, the rest is padding. Returns the state after the last trade, to go on from,
    and the closing trades, bool `[trade]`: those with |theta_i| >= threshold, or >= E[T] |E[x]| within the bounds of an
    adaptive one. A NaN closes no bar, nor does any trade after it but at `max_trades`, where theta and E[x] are NaN for
    good.

    Per item; traceable, for trades and for thresholds: jax.vmap over either.

    >>> state, closes = imbalance_closes(jnp.array([1.0, -1.0, 1.0, 1.0, -1.0]), FixedThreshold(2.0))
    >>> closes.tolist(), float(state.theta)
    ([False, False, False, True, False], -1.0)
    """
    signed = jnp.asarray(signed)
    if isinstance(threshold, AdaptiveThreshold) and not jnp.issubdtype(signed.dtype, jnp.floating):
        signed = signed.astype(float)
    start = ImbalanceState.begin(threshold, signed.dtype) if state is None else state
    present = jnp.arange(signed.shape[0]) < (signed.shape[0] if count is None else count)
    step = (
        _fixed_step(threshold, signed.dtype)
        if isinstance(threshold, FixedThreshold)
        else _adaptive_step(threshold, signed.dtype)
    )
    return jax.lax.scan(step, start, (signed, present), unroll=4)


def _fixed_step(threshold: FixedThreshold, dtype: Any):
    limit = jnp.asarray(threshold.threshold)
    if jnp.issubdtype(dtype, jnp.integer) and jnp.issubdtype(limit.dtype, jnp.floating):
        # Integers reach 2.5 at 3.
        limit = jnp.ceil(limit)
    limit, zero = limit.astype(dtype), jnp.zeros((), dtype)

    def step(state: ImbalanceState, item):
        x, here = item
        theta, trades = state.theta + x, state.trades + here
        close = here & (jnp.abs(theta) >= limit)
        after = ImbalanceState(
            jnp.where(close, zero, theta),
            jnp.where(close, 0, trades),
            state.expected_trades,
            state.expected_imbalance,
        )
        return after, close

    return step


def _adaptive_step(threshold: AdaptiveThreshold, dtype: Any):
    gain, zero = jnp.asarray(2.0 / (threshold.span + 1.0), dtype), jnp.zeros((), dtype)

    def step(state: ImbalanceState, item):
        x, here = item
        theta, trades = state.theta + x, state.trades + here
        over = jnp.abs(theta) >= state.expected_trades * jnp.abs(state.expected_imbalance)
        close = here & over & (trades >= threshold.min_trades)
        if threshold.max_trades is not None:
            close |= here & (trades >= threshold.max_trades)
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

    return step


_closes = jax.jit(imbalance_closes)


class ImbalanceBars(BarKind):
    """Bars that close when the imbalance theta of the takers is large: theta = sum b_i x_i over the bar, b_i the side.

    Arguments: `of`: "tick" (x = 1), "volume" (x the size) or "notional" (x price times size); `threshold`:
    FixedThreshold or AdaptiveThreshold. A trade of unknown side adds nothing to theta, though it counts as a trade:
    sign trades first where their sides are not known.

    With a FixedThreshold trades are counted in integers, volumes too, in `lot_size`, so that ten trades of 0.1 reach
    1.0, and notionals in `tick_size` times `lot_size` where a tick is given; the threshold is a multiple of that unit.
    `lot_size=None`, notionals without a tick, and an AdaptiveThreshold, whose expectations are no multiples of
    anything: x as it is, rounded to the dtype of the trades at each addition, in their order.

    Raises ValueError for another `of`, TypeError for another threshold, ValueError for a lot or tick that is not
    positive, a tick without a lot or with anything but notionals, and a threshold that is no multiple; when bars are
    made, for a price or size that is none.
    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, section 2.3.2.

    >>> ImbalanceBars("tick", FixedThreshold(25.0))
    ImbalanceBars(of='tick', threshold=FixedThreshold(threshold=25.0))
    """

    of: Literal["tick", "volume", "notional"] = eqx.field(static=True)
    threshold: FixedThreshold | AdaptiveThreshold
    lot_size: float | Decimal | None = eqx.field(static=True, default=1e-8, kw_only=True, converter=plain)
    tick_size: float | Decimal | None = eqx.field(static=True, default=None, kw_only=True, converter=plain)

    def __check_init__(self):
        if self.of not in ("tick", "volume", "notional"):
            raise ValueError(f"expected of as 'tick', 'volume' or 'notional', got {self.of!r}")
        if not isinstance(self.threshold, FixedThreshold | AdaptiveThreshold):
            raise TypeError(f"expected threshold as FixedThreshold or AdaptiveThreshold, got {self.threshold!r}")
        if any(jnp.ndim(number) for number in jax.tree.leaves(self.threshold)):
            raise ValueError(
                f"expected a threshold of single numbers, got {self.threshold}; jax.vmap of imbalance_closes serves "
                "many"
            )
        for name, unit in (("lot_size", self.lot_size), ("tick_size", self.tick_size)):
            if unit is not None:
                check_positive(name, unit)
        if self.tick_size is not None and (self.of != "notional" or self.lot_size is None):
            raise ValueError(
                f"expected tick_size with 'notional' and a lot_size, got it with {self.of!r} and {self.lot_size}; "
                "leave it out to add amounts as they are"
            )
        self._units()

    def _units(self) -> int | None:
        """The fixed threshold in whole units; None where x is added as it is."""
        if not isinstance(self.threshold, FixedThreshold) or self.of == "tick" or self.lot_size is None:
            return None
        threshold = float(self.threshold.threshold)
        if self.of == "volume":
            return threshold_units("threshold", threshold, "lot_size", self.lot_size)
        if self.tick_size is None:
            return None
        unit = Decimal(str(self.tick_size)) * Decimal(str(self.lot_size))
        return threshold_units("threshold", threshold, "tick_size times lot_size", unit)

    def cut(self, trades: list[TradeSeries]) -> list[Cuts]:
        return in_parallel(self._cut, trades, first_alone=True)

    def _cut(self, trades: TradeSeries) -> Cuts:
        side, size = np.asarray(trades.side), np.asarray(trades.size)
        threshold, units = self.threshold, self._units()
        if units is not None and self.lot_size is not None:
            signed = units_of(trades, units, lot_size=self.lot_size, tick_size=self.tick_size)
            signed *= side.astype(np.int8)
            threshold = FixedThreshold(units)
        elif self.of == "tick" and isinstance(threshold, FixedThreshold):
            whole = min(math.ceil(float(threshold.threshold)), UNBOUNDED)
            signed, threshold = side.astype(np.int32), FixedThreshold(whole)
        else:
            signed = side.astype(size.dtype)
            if self.of != "tick":
                signed *= size if self.of == "volume" else np.asarray(trades.price) * size

        def step(state, block, count):
            return _closes(block, threshold, state, count)

        rows = closing_rows(step, ImbalanceState.begin(threshold, signed.dtype), signed)
        return cuts_at_closes(np.asarray(trades.time_ns), rows)
