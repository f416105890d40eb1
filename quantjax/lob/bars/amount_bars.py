"""Volume and notional bars: a bar closes with the trade that brings its volume or notional to a threshold."""

from __future__ import annotations

from decimal import Decimal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Shaped

from quantjax.lob.bars.blocks import closing_rows, in_parallel
from quantjax.lob.bars.cuts import BarKind, Cuts, cuts_at_closes
from quantjax.lob.bars.units import threshold_units, units_of
from quantjax.lob.trades.series import TradeSeries
from quantjax.numerics.arguments import check_positive, plain

__all__ = ["NotionalBars", "VolumeBars", "threshold_closes"]


def threshold_closes(
    amount: Shaped[jax.Array, " trade"], threshold, accumulated=0
) -> tuple[Shaped[jax.Array, ""], Bool[jax.Array, " trade"]]:
    """Which trades close a bar whose amount is to reach `threshold`: A_i = A_{i-1} + a_i, and A starts at 0 after each.

    Arguments: `amount` a_i >= 0, `[trade]`, integer (exact) or floating (rounded at each addition, in the order of the
    trades); `threshold` > 0 in the same unit; `accumulated`: A before the first trade. Returns A after the last trade,
    to go on from, and the closing trades, bool `[trade]`: those with A_i >= threshold. What a trade brings beyond the
    threshold belongs to its bar. A NaN amount closes no bar, nor does any after it.

    Per item; traceable. Source: Lopez de Prado (2018), Advances in Financial Machine Learning, section 2.3.1.

    >>> accumulated, closes = threshold_closes(jnp.array([3, 4, 9, 1]), 5)
    >>> accumulated.tolist(), closes.tolist()
    (1, [False, True, True, False])
    """
    amount = jnp.asarray(amount)
    threshold = jnp.asarray(threshold, amount.dtype)

    def step(total, a):
        total = total + a
        close = total >= threshold
        return jnp.where(close, jnp.zeros((), total.dtype), total), close

    return jax.lax.scan(step, jnp.asarray(accumulated, amount.dtype), amount, unroll=4)


class VolumeBars(BarKind):
    """Bars of a volume: a bar closes with the trade that brings its volume to `volume` or beyond, the next starts at 0.

    Arguments: `volume` in base currency; `lot_size`: sizes are whole multiples of it, and volumes are counted in it, in
    integers, so that ten trades of 0.1 make 1.0. `lot_size=None` adds the sizes as they are, rounded to their dtype at
    each addition, in the order of the trades. Trades are not split: a bar may hold more than `volume`.

    Raises TypeError for what is no number, ValueError for a volume or lot that is not positive and a volume that is not
    a multiple of the lot; when bars are made, for a size that is none, or too large or of too few digits (float32) to
    tell.
    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, section 2.3.1.

    >>> VolumeBars(10.0, lot_size=1e-5)
    VolumeBars(volume=10.0, lot_size=1e-05)
    """

    volume: float | Decimal = eqx.field(static=True, converter=plain)
    lot_size: float | Decimal | None = eqx.field(static=True, default=1e-8, kw_only=True, converter=plain)

    def __check_init__(self):
        check_positive("volume", self.volume)
        if self.lot_size is not None:
            check_positive("lot_size", self.lot_size)
            threshold_units("volume", self.volume, "lot_size", self.lot_size)

    def cut(self, trades: list[TradeSeries]) -> list[Cuts]:
        def cut(one: TradeSeries) -> Cuts:
            if self.lot_size is None:
                return _cut(one, np.asarray(one.size), float(self.volume))
            threshold = threshold_units("volume", self.volume, "lot_size", self.lot_size)
            return _cut(one, units_of(one, threshold, lot_size=self.lot_size, tick_size=None), threshold)

        return in_parallel(cut, trades, first_alone=True)


class NotionalBars(BarKind):
    """Bars of a notional: a bar closes with the trade that brings its sum of price times size to `notional` or beyond.

    Arguments: `notional` in quote currency. With `tick_size` and `lot_size` prices are counted in ticks, sizes in lots
    and notionals in ticks times lots, in integers, exactly. Without them, as by default, for no tick is that of every
    market, the products are rounded to the dtype of the trades, and so is each addition, in the order of the trades:
    where the sum should be just the threshold the bar may close a trade late. Trades are not split.

    Raises TypeError for what is no number, ValueError for what is not positive, for one of tick and lot without the
    other, and for a notional that is not a multiple of tick times lot; when bars are made, for a price or size that is
    no multiple.
    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, section 2.3.1 (dollar bars).

    >>> NotionalBars(1e6, tick_size=0.01, lot_size=1e-5)
    NotionalBars(notional=1000000.0, tick_size=0.01, lot_size=1e-05)
    """

    notional: float | Decimal = eqx.field(static=True, converter=plain)
    tick_size: float | Decimal | None = eqx.field(static=True, default=None, kw_only=True, converter=plain)
    lot_size: float | Decimal | None = eqx.field(static=True, default=None, kw_only=True, converter=plain)

    def __check_init__(self):
        check_positive("notional", self.notional)
        if (self.tick_size is None) != (self.lot_size is None):
            raise ValueError(
                f"expected tick_size and lot_size together, got {self.tick_size} and {self.lot_size}; both count "
                "notionals exactly, neither adds them as they are"
            )
        if self.tick_size is not None and self.lot_size is not None:
            check_positive("tick_size", self.tick_size)
            check_positive("lot_size", self.lot_size)
            self._threshold(self.tick_size, self.lot_size)

    def _threshold(self, tick_size: float | Decimal, lot_size: float | Decimal) -> int:
        unit = Decimal(str(tick_size)) * Decimal(str(lot_size))
        return threshold_units("notional", self.notional, "tick_size times lot_size", unit)

    def cut(self, trades: list[TradeSeries]) -> list[Cuts]:
        def cut(one: TradeSeries) -> Cuts:
            if self.tick_size is None or self.lot_size is None:
                return _cut(one, np.asarray(one.price) * np.asarray(one.size), float(self.notional))
            threshold = self._threshold(self.tick_size, self.lot_size)
            return _cut(one, units_of(one, threshold, lot_size=self.lot_size, tick_size=self.tick_size), threshold)

        return in_parallel(cut, trades, first_alone=True)


_closes = jax.jit(threshold_closes)


def _cut(trades: TradeSeries, amount: np.ndarray, threshold: float) -> Cuts:
    limit = np.asarray(threshold, amount.dtype)
    rows = closing_rows(lambda accumulated, block, count: _closes(block, limit, accumulated), limit * 0, amount)
    return cuts_at_closes(np.asarray(trades.time_ns), rows)
