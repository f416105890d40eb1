"""Trades of one symbol as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int, Int64

from quantjax.numerics.arguments import plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TradeSeries"]

Array = jax.Array | np.ndarray


class TradeSeries(eqx.Module):
    """Trades of one symbol in the order they came: arrays `[trade]`.

    Arguments: `time_ns`, int64 nanoseconds since 1970 UTC on the clock that is worked with; `price` in quote currency
    and `size` in base currency, floating; `side`, integer, the taker's: +1 bought, -1 sold, 0 unknown; `symbol`.
    Optional: `exchange_ns`, the venue's time (int64), and `trade_id` (int64), None where there are none.

    Raises TypeError for dtypes and ValueError for shapes that differ, and for float64 arrays while JAX's x64 mode is
    off. Values are not looked at, so that one can be made under tracing.

    `trades[a:b]` is a TradeSeries; `len(trades)` the number of trades.

    >>> trades = TradeSeries(np.array([1, 2]), np.array([100.0, 100.1]), np.array([5.0, 1.0]), np.array([1, -1]), "XYZ")
    >>> len(trades), trades[1:].price
    (2, array([100.1]))
    """

    time_ns: Int64[Array, " trade"]
    price: Float[Array, " trade"]
    size: Float[Array, " trade"]
    side: Int[Array, " trade"]
    symbol: str = eqx.field(static=True, converter=plain)
    exchange_ns: Int64[Array, " trade"] | None = None
    trade_id: Int64[Array, " trade"] | None = None

    def __check_init__(self):
        kinds = {"time_ns": np.int64, "price": np.floating, "size": np.floating, "side": np.integer}
        kinds |= {name: np.int64 for name in ("exchange_ns", "trade_id") if getattr(self, name) is not None}
        for name, kind in kinds.items():
            array = getattr(self, name)
            if not isinstance(array, jax.Array | np.ndarray):
                raise TypeError(
                    f"expected {name} as a numpy or JAX array, got {type(array).__name__}; a pandas column's is "
                    f".to_numpy(), a list's np.array({name})"
                )
            if not np.issubdtype(array.dtype, kind):
                raise TypeError(f"expected {name} as an array of {kind.__name__}, got {array.dtype}")
            if array.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
                raise ValueError(
                    f"expected {name} in float32 while JAX's x64 mode is off, got float64; call "
                    "jax.config.update('jax_enable_x64', True) at the start, or pass float32 arrays for float32 results"
                )
        if len({getattr(self, name).shape for name in kinds}) > 1:
            shapes = ", ".join(f"{name}{list(getattr(self, name).shape)}" for name in kinds)
            raise ValueError(f"expected arrays of one shape, got {shapes}")

    def __len__(self) -> int:
        return self.time_ns.shape[0]

    def __getitem__(self, index: slice | np.ndarray) -> TradeSeries:
        if isinstance(index, int | np.integer):
            raise TypeError(
                f"expected a slice or an array of indices, got {index}; trades[{index}:{index + 1}] is that one"
            )
        return jax.tree.map(lambda array: array[index], self)

    def to_pandas(self) -> pd.DataFrame:
        """A column for every field that is there, but the symbol (in `attrs`), indexed by UTC time."""
        import pandas as pd

        names = ("exchange_ns", "price", "size", "side", "trade_id")
        columns = {name: np.asarray(array) for name in names if (array := getattr(self, name)) is not None}
        frame = pd.DataFrame(columns, index=pd.DatetimeIndex(np.asarray(self.time_ns), tz="UTC", name="time"))
        frame.attrs["symbol"] = self.symbol
        return frame
