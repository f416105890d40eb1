"""A stream of level updates: new absolute sizes of price levels, in integer ticks; and ticks as prices."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Int64

__all__ = ["LevelUpdates", "price_ticks", "tick_prices"]

Array = jax.Array | np.ndarray

_WHOLE = 1e-9  # how near 1 / tick_size is to a whole number where it is one


class LevelUpdates(eqx.Module):
    """Updates of the price levels of one book in the order they came: arrays `[update]`.

    Each sets the size that rests at a price from then on; size 0 deletes the level (to delete one that is not there is
    normal). A snapshot is a LevelUpdates too: every level of the book, once.

    Arguments: `time_ns`, int64 nanoseconds since 1970 UTC, which never decrease; `side`, integer: +1 a bid, -1 an ask,
    0 nothing (padding); `tick`, integer price in units of `tick_size`; `size` in base currency, floating; `tick_size`,
    the price step in quote currency; `symbol`.

    Raises TypeError for dtypes and ValueError for shapes that differ, and for float64 sizes while JAX's x64 mode is
    off. Values are not looked at, so that one can be made under tracing; `lob.check_updates` looks.

    `updates[a:b]` is a LevelUpdates; `len(updates)` the number of updates.
    """

    time_ns: Int64[Array, " update"]
    side: Int[Array, " update"]
    tick: Int[Array, " update"]
    size: Float[Array, " update"]
    tick_size: float | Array
    symbol: str = eqx.field(static=True)

    def __check_init__(self):
        kinds = {"time_ns": np.int64, "side": np.integer, "tick": np.integer, "size": np.floating}
        for name, kind in kinds.items():
            array = getattr(self, name)
            if not isinstance(array, jax.Array | np.ndarray):
                raise TypeError(f"expected {name} as a numpy or JAX array, got {type(array).__name__}")
            if not np.issubdtype(array.dtype, kind):
                raise TypeError(f"expected {name} as an array of {kind.__name__}, got {array.dtype}")
        if self.size.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
            raise ValueError(
                "expected sizes in float32 while JAX's x64 mode is off, got float64; call "
                "jax.config.update('jax_enable_x64', True) at the start, or pass float32 sizes for float32 books"
            )
        if len({getattr(self, name).shape for name in kinds}) > 1:
            shapes = ", ".join(f"{name}{list(getattr(self, name).shape)}" for name in kinds)
            raise ValueError(f"expected arrays of one shape, got {shapes}")
        if isinstance(self.tick_size, int | float) and not self.tick_size > 0:
            raise ValueError(f"expected tick_size > 0, got {self.tick_size}")

    def __len__(self) -> int:
        return self.time_ns.shape[0]

    def __getitem__(self, index: slice | np.ndarray) -> LevelUpdates:
        if isinstance(index, int):
            raise TypeError(
                f"expected a slice or an array of indices, got {index}; updates[{index}:{index + 1}] is one"
            )
        return LevelUpdates(
            self.time_ns[index], self.side[index], self.tick[index], self.size[index], self.tick_size, self.symbol
        )


def tick_prices(tick: Array, tick_size, dtype: np.dtype | type = np.float64) -> Array:
    """Prices of integer ticks: tick / (1 / tick_size) where 1 / tick_size is whole, else tick x tick_size.

    The quotient of two whole numbers is the double nearest to the decimal price, as a parser of that price gives it;
    the product may be its neighbour. numpy in, numpy out. Broadcasting.

    >>> tick_prices(np.array([6_113_455]), 0.01), 6_113_455 * 0.01
    (array([61134.55]), 61134.55)
    """
    if isinstance(tick, np.ndarray) and isinstance(tick_size, float | int):
        per_unit = round(1 / tick_size)
        whole = abs(per_unit * tick_size - 1) < _WHOLE
        return (tick / float(per_unit) if whole else tick * float(tick_size)).astype(dtype, copy=False)
    # In double precision where there is any, whatever the dtype asked for: 100,000.01 has no float32.
    wide = np.float64 if jax.config.read("jax_enable_x64") else np.float32
    tick, tick_size = jnp.asarray(tick, wide), jnp.asarray(tick_size, wide)
    per_unit = jnp.rint(1 / tick_size)
    whole = jnp.abs(per_unit * tick_size - 1) < (_WHOLE if wide == np.float64 else 1e-6)
    # XLA would turn the quotient by a scalar into a product with its inverse, which is off by a bit: make it an array.
    divisor = jnp.where(tick < 2.0**53, per_unit, 1.0)
    return jnp.where(whole, tick / divisor, tick * tick_size).astype(dtype)


def price_ticks(price: Array, tick_size) -> Array:
    """The nearest tick of each price, an integer; 0 where the price is NaN. Broadcasting.

    >>> price_ticks(np.array([61134.55, np.nan]), 0.01)
    array([6113455,       0])
    """
    xp = np if isinstance(price, np.ndarray) and isinstance(tick_size, float | int) else jnp
    tick = xp.rint(xp.asarray(price) / tick_size)
    return xp.where(xp.isnan(tick), 0, tick).astype(np.int64 if xp is np else jnp.result_type(int))
