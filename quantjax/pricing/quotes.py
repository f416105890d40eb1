"""Option quotes of one underlying as arrays: what models are calibrated to."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int

from quantjax.numerics.arguments import as_floating, holds
from quantjax.pricing.arguments import as_call
from quantjax.pricing.black import black_price
from quantjax.pricing.implied_vol import implied_vol

__all__ = ["OptionQuotes", "stack_quotes"]

# The error in vol that a quote without bid and ask is taken to have: one vol point.
_VOL_ERROR = 0.01

Row = Float[jax.Array, "*batch maturity"]
Table = Float[jax.Array, "*batch maturity strike"]


class OptionQuotes(eqx.Module):
    """European option quotes of one underlying as Black implied vols; make it by `from_vols` or `from_prices`.

    `strikes` and `vols` (mid, per year, a decimal; NaN: no quote) `[maturity, strike]`; `maturities` in years,
    `forward` and `discount` `[maturity]`; `weights` `[maturity, strike]`: the reciprocal of the error, in vol, that
    each quote is taken to have, 0 where there is none; `bid_vols`, `ask_vols` `[maturity, strike]`, NaN where unknown;
    `num_unpriced`: prices that have no implied vol and so are no quotes. All are leaves: `stack_quotes` makes one of
    many surfaces, with a leading axis for `jax.vmap`.
    """

    strikes: Table
    maturities: Row
    vols: Table
    forward: Row
    discount: Row
    weights: Table
    bid_vols: Table
    ask_vols: Table
    num_unpriced: Int[jax.Array, "*batch"]

    @classmethod
    def from_vols(
        cls,
        strikes,
        maturities,
        vols,
        *,
        forward,
        discount: ArrayLike = 1.0,
        bid_vols=None,
        ask_vols=None,
        weights=None,
        least_error: float = 1e-3,
    ) -> OptionQuotes:
        """Quotes from implied vols `[maturity, strike]`, NaN where there is none.

        `strikes`: `[strike]`, or `[maturity, strike]` padded with NaN; `maturities` `[maturity]`, years; `forward` and
        `discount`: scalar or `[maturity]`; `bid_vols`, `ask_vols`: as `vols`. `weights`: as `vols`, >= 0; if not given
        1 / max((ask - bid) / 2, least_error) where bid and ask are known, 1 / max(distance, least_error) where one of
        them is, and else 1 / 0.01, an error of one vol point. `least_error`: the floor, a vol.

        Per item. Raises ValueError for shapes that do not fit, for vols, strikes, maturities, forwards or discounts
        that are known not to be positive, for an ask below its bid, and for weights that are negative or not finite.

        >>> vols = [[0.25, 0.2], [0.24, float("nan")]]
        >>> quotes = OptionQuotes.from_vols([90.0, 110.0], [0.5, 1.0], vols, forward=100.0)
        >>> int(quotes.num_quotes), quotes.weights.tolist()
        (3, [[100.0, 100.0], [100.0, 0.0]])
        """
        strikes, maturities, (vols, bid_vols, ask_vols, weights) = _tables(
            strikes, maturities, vols=vols, bid_vols=bid_vols, ask_vols=ask_vols, weights=weights
        )
        for name, value in (("vols", vols), ("bid_vols", bid_vols), ("ask_vols", ask_vols)):
            if value is not None and not holds(lambda x: ~(x <= 0) & (x < jnp.inf) | (x != x), value):
                raise ValueError(f"expected {name} > 0 and finite, NaN where there is no quote; got one that is not")
        nothing = jnp.full_like(vols, jnp.nan)
        bid_vols, ask_vols = (nothing if value is None else value for value in (bid_vols, ask_vols))
        if not holds(lambda bid, ask: ~(ask < bid), bid_vols, ask_vols):
            raise ValueError("expected ask_vols >= bid_vols, got a crossed quote; drop it (NaN in vols)")
        half_spread = 0.5 * (ask_vols - bid_vols)
        if weights is None:
            # Where a bid is worth no vol, the distance to the ask is all that is known, and more than half a spread.
            one_sided = jnp.fmax(ask_vols - vols, vols - bid_vols)
            error = jnp.where(jnp.isnan(half_spread), one_sided, half_spread)
            error = jnp.where(jnp.isnan(error), _VOL_ERROR, jnp.maximum(error, least_error))
            weights = (1 / error).astype(vols.dtype)
        elif not holds(lambda w, vol: (w >= 0) & (w < jnp.inf) | (vol != vol), weights, vols):
            raise ValueError("expected weights >= 0 and finite wherever there is a vol; use 0 for quotes to leave out")
        forward, discount = (
            _row(value, maturities, name) for value, name in ((forward, "forward"), (discount, "discount"))
        )
        known = jnp.isfinite(vols) & (strikes > 0) & (maturities > 0)[:, None] & (forward > 0)[:, None]
        vols, weights = jnp.where(known, vols, jnp.nan), jnp.where(known, weights, 0.0)
        unpriced = jnp.zeros((), int)
        return cls(strikes, maturities, vols, forward, discount, weights, bid_vols, ask_vols, unpriced)

    @classmethod
    def from_prices(
        cls,
        strikes,
        maturities,
        prices,
        *,
        forward,
        discount: ArrayLike = 1.0,
        call: ArrayLike = True,
        bid_prices=None,
        ask_prices=None,
        weights=None,
        least_error: float = 1e-3,
    ) -> OptionQuotes:
        """Quotes from prices `[maturity, strike]`, NaN where there is none, by `implied_vol`.

        `call`: True for calls, False for puts, or truth values `[maturity, strike]`; out-of-the-money options carry
        the information best. `bid_prices`, `ask_prices`: as `prices`. A price at or beyond its bounds has no implied
        vol: it is no quote, and counts in `num_unpriced`. All else as in `from_vols`. Per item. Raises
        as `from_vols`.

        >>> quotes = OptionQuotes.from_prices([90.0, 110.0], [0.5], [[12.0, 99.0]], forward=100.0, discount=0.98)
        >>> quotes.vols.round(4).tolist(), int(quotes.num_unpriced)
        ([[0.2227, nan]], 1)
        """
        strikes, maturities, (prices, bid_prices, ask_prices) = _tables(
            strikes, maturities, prices=prices, bid_prices=bid_prices, ask_prices=ask_prices
        )
        forward, discount = (
            _row(value, maturities, name) for value, name in ((forward, "forward"), (discount, "discount"))
        )
        call = jnp.broadcast_to(as_call(call), prices.shape)

        def vols(prices):
            if prices is None:
                return None
            column = (forward[:, None], strikes, maturities[:, None], discount[:, None])
            vol = implied_vol(prices, *column, call)
            return jnp.where((vol > 0) & jnp.isfinite(vol), vol, jnp.nan)

        mid, bid, ask = vols(prices), vols(bid_prices), vols(ask_prices)
        quotes = cls.from_vols(
            strikes,
            maturities,
            mid,
            forward=forward,
            discount=discount,
            bid_vols=bid,
            ask_vols=ask,
            weights=weights,
            least_error=least_error,
        )
        unpriced = (jnp.isfinite(prices) & jnp.isnan(quotes.vols)).sum()
        return eqx.tree_at(lambda quotes: quotes.num_unpriced, quotes, unpriced)

    @property
    def num_quotes(self) -> Int[jax.Array, "*batch"]:
        """Number of vols, `[...]`. Broadcasting."""
        return jnp.isfinite(self.vols).sum((-2, -1))

    @property
    def calls(self) -> Bool[jax.Array, "*batch maturity strike"]:
        """Which options are out of the money as calls, K >= F, the others as puts; `[..., maturity, strike]`."""
        return self.strikes >= self.forward[..., None]

    @property
    def log_moneyness(self) -> Table:
        """ln(K / F), `[..., maturity, strike]`. Broadcasting."""
        return jnp.log(self.strikes / self.forward[..., None])

    def prices(self) -> Table:
        """Prices of the out-of-the-money options (`calls`) at the mid vols, `[..., maturity, strike]`.

        In the currency of the forward, by `black_price`; NaN where there is no vol. Broadcasting.
        """
        column = (self.maturities[..., None], self.vols, self.discount[..., None])
        return black_price(self.forward[..., None], self.strikes, *column, self.calls)

    def to_pandas(self):
        """A row a quote, with its log-moneyness, whether it is a `call`, and its `price`.

        Driver. Raises ValueError for a stack of surfaces.

        >>> quotes = OptionQuotes.from_vols([90.0, 110.0], [0.5], [[0.25, 0.2]], forward=100.0)
        >>> quotes.to_pandas()[["strike", "call", "vol"]].values.tolist()
        [[90.0, False, 0.25], [110.0, True, 0.2]]
        """
        import numpy as np
        import pandas as pd

        if self.vols.ndim != 2:
            raise ValueError(f"expected one surface, got vols{list(self.vols.shape)}; take one with jax.tree.map")
        shape = self.vols.shape
        columns = {
            "maturity": self.maturities[:, None],
            "strike": self.strikes,
            "forward": self.forward[:, None],
            "discount": self.discount[:, None],
            "log_moneyness": self.log_moneyness,
            "call": self.calls,
            "vol": self.vols,
            "bid_vol": self.bid_vols,
            "ask_vol": self.ask_vols,
            "weight": self.weights,
            "price": self.prices(),
        }
        quoted = np.isfinite(np.asarray(self.vols))
        return pd.DataFrame({name: np.broadcast_to(value, shape)[quoted] for name, value in columns.items()})


def stack_quotes(quotes: Sequence[OptionQuotes]) -> OptionQuotes:
    """Surfaces of any shapes as one `OptionQuotes` with a leading axis, padded to the largest; for `jax.vmap`.

    What is padded has no vol and weight 0, and NaN elsewhere. Driver. Raises ValueError for none, or one that is
    a stack.

    >>> one = OptionQuotes.from_vols([90.0, 110.0], [0.5], [[0.25, 0.2]], forward=100.0)
    >>> two = OptionQuotes.from_vols([100.0], [0.5, 1.0], [[0.25], [0.2]], forward=100.0)
    >>> stack = stack_quotes([one, two])
    >>> stack.vols.shape, stack.num_quotes.tolist()
    ((2, 2, 2), [2, 2])
    """
    quotes = list(quotes)
    if not quotes or any(surface.vols.ndim != 2 for surface in quotes):
        raise ValueError(f"expected at least one surface [maturity, strike], got {[q.vols.shape for q in quotes]}")
    num_maturities, num_strikes = (max(surface.vols.shape[axis] for surface in quotes) for axis in (0, 1))

    def padded(array: jax.Array) -> jax.Array:
        if array.ndim == 0:
            return array
        sizes = (num_maturities, num_strikes)[: array.ndim]
        width = [(0, size - have) for size, have in zip(sizes, array.shape, strict=True)]
        return jnp.pad(array, width, constant_values=jnp.nan)

    surfaces = [jax.tree.map(padded, surface) for surface in quotes]
    stack = jax.tree.map(lambda *arrays: jnp.stack(arrays), *surfaces)
    return eqx.tree_at(lambda stack: stack.weights, stack, jnp.nan_to_num(stack.weights, nan=0.0))


def _tables(strikes, maturities, **tables) -> tuple[jax.Array, jax.Array, list]:
    """Strikes `[maturity, strike]`, maturities and tables of their shape, checked."""
    strikes, maturities = as_floating(strikes, "strikes"), as_floating(maturities, "maturities")
    if strikes.ndim not in (1, 2) or maturities.ndim != 1 or (strikes.ndim == 2 and len(strikes) != len(maturities)):
        raise ValueError(
            "expected strikes [strike] or [maturity, strike] and maturities [maturity], got "
            f"strikes{list(strikes.shape)} and maturities{list(maturities.shape)}"
        )
    for name, value in (("strikes", strikes), ("maturities", maturities)):
        if not holds(lambda x: ~(x <= 0) & (x != jnp.inf), value):
            raise ValueError(f"expected {name} > 0 and finite, NaN to pad; got one that is not")
    shape = (len(maturities), strikes.shape[-1])
    arrays = []
    for name, table in tables.items():
        table = None if table is None else as_floating(table, name)
        if table is not None and table.shape != shape:
            raise ValueError(f"expected {name} as [maturity, strike] {list(shape)}, got {list(table.shape)}")
        arrays.append(table)
    return jnp.broadcast_to(strikes, shape), maturities, arrays


def _row(value, maturities: jax.Array, name: str) -> jax.Array:
    value = as_floating(value, name)
    if value.ndim and value.shape != maturities.shape:
        raise ValueError(f"expected {name} as a number or [maturity] {list(maturities.shape)}, got {list(value.shape)}")
    if not holds(lambda x, t: ~(x <= 0) & (x != jnp.inf) | (t != t), value, maturities):
        raise ValueError(f"expected {name} > 0 and finite, got {value}")
    return jnp.broadcast_to(value, maturities.shape)
