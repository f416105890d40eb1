"""A stream of level updates: new absolute sizes of price levels, in integer ticks."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int, Int64

from quantjax.numerics.arguments import plain

__all__ = ["LevelUpdates"]

Array = jax.Array | np.ndarray


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
    symbol: str = eqx.field(static=True, converter=plain)

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
        if isinstance(index, int | np.integer):
            raise TypeError(
                f"expected a slice or an array of indices, got {index}; updates[{index}:{index + 1}] is one"
            )
        return LevelUpdates(
            self.time_ns[index], self.side[index], self.tick[index], self.size[index], self.tick_size, self.symbol
        )
