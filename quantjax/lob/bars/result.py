"""Bars as a result: arrays by bar, of one symbol or of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NO_TIME", "Bars"]

NO_TIME = np.iinfo(np.int64).min  # pandas reads it as NaT


class Bars(eqx.Module):
    """Bars of one symbol, numpy arrays `[bar]`, or of several, `[symbol, bar]`.

    `start_ns`, `end_ns`: int64 UTC. A time bar lasts from `start_ns` up to, not including, `end_ns`; other bars from
    the time of their first trade to the time of their last, both in them.
    `open, high, low, close` in quote currency, NaN for a bar without trades; `volume` in base currency and `notional`
    in quote currency; `vwap`: notional / volume, NaN without volume; `count`: trades. `buy_volume, sell_volume,
    unknown_volume` and `buy_count, sell_count` by the taker's side; `signed_volume` is bought minus sold.
    `complete`: False for a bar that the data may not cover whole: one that no trade has closed, a time bar not inside
    the time covered. `valid`: False for the padding of symbols with fewer bars than others (times NO_TIME, prices NaN,
    amounts 0).
    `first_trade`: row of the bar's first trade among the trades in time order; where the bar has none, of the next one.
    `trades_outside`: trades before `start_ns` and from `end_ns` on; `trades_in_dropped`: those in bars that were
    dropped for not being complete; `clock_went_back`: steps back in time, mended by sorting: an int each, `[symbol]`
    for several. `symbol`: a name, or a tuple of names.
    """

    start_ns: np.ndarray
    end_ns: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    notional: np.ndarray
    vwap: np.ndarray
    buy_volume: np.ndarray
    sell_volume: np.ndarray
    unknown_volume: np.ndarray
    count: np.ndarray
    buy_count: np.ndarray
    sell_count: np.ndarray
    first_trade: np.ndarray
    complete: np.ndarray
    valid: np.ndarray
    trades_outside: int | np.ndarray
    trades_in_dropped: int | np.ndarray
    clock_went_back: int | np.ndarray
    symbol: str | tuple[str, ...] = eqx.field(static=True)

    @property
    def signed_volume(self) -> np.ndarray:
        """Volume bought minus volume sold by takers, base currency; trades of unknown side are in neither."""
        return self.buy_volume - self.sell_volume

    @property
    def num_bars(self) -> int | np.ndarray:
        """Number of bars: an int, `[symbol]` for several symbols."""
        number = self.valid.sum(axis=-1)
        return number if self.valid.ndim > 1 else int(number)

    def of(self, symbol: str) -> Bars:
        """The bars of one symbol, `[bar]`, without padding. Raises KeyError for a symbol that is not there."""
        names = (self.symbol,) if isinstance(self.symbol, str) else self.symbol
        if symbol not in names:
            raise KeyError(f"expected one of {', '.join(names)}, got {symbol}")
        if isinstance(self.symbol, str):
            return self
        row = names.index(symbol)
        kept = self.valid[row]
        # Arrays are [symbol, bar] or [symbol].
        one: dict[str, Any] = {
            name: array[row][kept] if array.ndim == 2 else int(array[row])
            for name, array in vars(self).items()
            if isinstance(array, np.ndarray)
        }
        return Bars(**one, symbol=symbol)

    def to_pandas(self) -> pd.DataFrame:
        """A row a bar, indexed by the UTC time at which the bar ends: no row holds anything that came later.

        The symbol is in `attrs`; with several symbols it is the first level of the index, and padding is left out.
        The names of the columns are those of the fields, and `start`, the time at which the bar begins.
        """
        import pandas as pd

        if not isinstance(self.symbol, str):
            return pd.concat({name: self.of(name).to_pandas() for name in self.symbol}, names=["symbol"])
        names = ("open", "high", "low", "close", "volume", "notional", "vwap", "count")
        sides = ("buy_volume", "sell_volume", "unknown_volume", "signed_volume", "buy_count", "sell_count")
        columns = {"start": pd.DatetimeIndex(self.start_ns, tz="UTC")}
        columns |= {name: getattr(self, name) for name in (*names, *sides, "complete")}
        frame = pd.DataFrame(columns, index=pd.DatetimeIndex(self.end_ns, tz="UTC", name="end"))
        frame.attrs["symbol"] = self.symbol
        return frame
