"""Books and trades as numpy arrays, in the names and the layout that `quantjax.lob.Book` takes as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feeds.decimals import to_float

__all__ = ["BookArrays", "BookArraysBuilder", "TradeArrays", "TradeArraysBuilder"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BookArrays:
    """Books of one symbol, T rows of L levels, best level first; a level that is absent has size 0 and price NaN.

    `time_ns` is this machine's clock and never decreases, `exchange_ns` the venue's at the last change (0: not stated);
    both int64 nanoseconds UTC. Prices are in quote currency, sizes in base currency; `tick_size` is NaN where the venue
    did not say.
    """

    time_ns: IntArray  # [T]
    exchange_ns: IntArray  # [T]
    last_update_id: IntArray  # [T]
    bid_price: FloatArray  # [T, L]
    bid_size: FloatArray  # [T, L]
    ask_price: FloatArray  # [T, L]
    ask_size: FloatArray  # [T, L]
    symbol: str
    tick_size: float = float("nan")

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def levels(self) -> int:
        """L, the number of levels a side."""
        return self.bid_price.shape[1]


class BookArraysBuilder:
    """Collects rows in blocks of fixed size, so that growing copies nothing, and hands out `BookArrays`."""

    def __init__(self, symbol: str, levels: int, *, block_rows: int = 4096) -> None:
        if levels < 1 or block_rows < 1:
            raise ValueError(f"expected at least one level and one row a block, got {levels} and {block_rows}")
        self.symbol = symbol
        self.levels = levels
        self._block_rows = block_rows
        self._absent = [float("nan")] * levels, [0.0] * levels
        self._clear()

    def __len__(self) -> int:
        return self._rows

    def append(
        self,
        time_ns: int,
        exchange_ns: int,
        last_update_id: int,
        bids: Sequence[tuple[int, int]],
        asks: Sequence[tuple[int, int]],
    ) -> None:
        """Add one book: (price, size) in units of 1e-8, best first, as `OrderBook.top()` has it; at most L levels."""
        row = self._rows % self._block_rows
        if row == 0:
            self._stamps.append(np.empty((self._block_rows, 3), np.int64))
            self._values.append(np.empty((self._block_rows, 4 * self.levels)))
        self._stamps[-1][row] = time_ns, exchange_ns, last_update_id
        self._values[-1][row] = [*self._side(bids), *self._side(asks)]
        self._rows += 1

    def build(self, tick_size: float = float("nan")) -> BookArrays:
        """All rows so far as arrays, and begin anew."""
        rows, levels = self._rows, self.levels
        stamps, values = self._stamps or [np.empty((0, 3), np.int64)], self._values or [np.empty((0, 4 * levels))]

        time_ns, exchange_ns, last_update_id = (
            np.concatenate([block[:, field] for block in stamps])[:rows] for field in range(3)
        )
        bid_price, bid_size, ask_price, ask_size = (
            np.concatenate([block[:, side * levels : (side + 1) * levels] for block in values])[:rows]
            for side in range(4)
        )
        self._clear()
        return BookArrays(
            time_ns,
            exchange_ns,
            last_update_id,
            bid_price,
            bid_size,
            ask_price,
            ask_size,
            symbol=self.symbol,
            tick_size=tick_size,
        )

    def _side(self, levels: Sequence[tuple[int, int]]) -> list[float]:
        levels = levels[: self.levels]
        no_price, no_size = self._absent
        prices = [to_float(price) for price, _ in levels] + no_price[len(levels) :]
        return prices + [to_float(size) for _, size in levels] + no_size[len(levels) :]

    def _clear(self) -> None:
        self._rows = 0
        self._stamps: list[IntArray] = []
        self._values: list[FloatArray] = []


@dataclass(frozen=True, eq=False)
class TradeArrays:
    """Trades of one symbol, in the order they came; `side` is the taker's, +1 bought and -1 sold."""

    time_ns: IntArray  # [T] received clock
    exchange_ns: IntArray  # [T]
    price: FloatArray  # [T]
    size: FloatArray  # [T]
    side: IntArray  # [T]
    trade_id: IntArray  # [T]
    symbol: str

    def __len__(self) -> int:
        return len(self.time_ns)


class TradeArraysBuilder:
    """Collects trades of one symbol into blocks and hands out `TradeArrays`."""

    def __init__(self, symbol: str, *, block_rows: int = 4096) -> None:
        self.symbol = symbol
        self._block_rows = block_rows
        self._clear()

    def __len__(self) -> int:
        return self._rows

    def append(self, time_ns: int, exchange_ns: int, price: int, size: int, side: int, trade_id: int) -> None:
        """Add one trade; price and size in units of 1e-8."""
        row = self._rows % self._block_rows
        if row == 0:
            self._stamps.append(np.empty((self._block_rows, 4), np.int64))
            self._values.append(np.empty((self._block_rows, 2)))
        self._stamps[-1][row] = time_ns, exchange_ns, side, trade_id
        self._values[-1][row] = to_float(price), to_float(size)
        self._rows += 1

    def build(self) -> TradeArrays:
        """All trades so far as arrays, and begin anew."""
        stamps, values = self._stamps or [np.empty((0, 4), np.int64)], self._values or [np.empty((0, 2))]
        time_ns, exchange_ns, side, trade_id = (
            np.concatenate([block[:, field] for block in stamps])[: self._rows] for field in range(4)
        )
        price, size = (np.concatenate([block[:, field] for block in values])[: self._rows] for field in range(2))
        self._clear()
        return TradeArrays(time_ns, exchange_ns, price, size, side, trade_id, self.symbol)

    def _clear(self) -> None:
        self._rows = 0
        self._stamps: list[IntArray] = []
        self._values: list[FloatArray] = []
