"""What only the values of trades know, checked once, on the host: `check_trades` reports, `clean_trades` mends."""

from __future__ import annotations

from typing import Literal

import equinox as eqx
import numpy as np

from quantjax.lob.book import BookSeries
from quantjax.lob.trades.series import TradeSeries

__all__ = ["CleanedTrades", "TradeCheck", "check_trades", "clean_trades", "require_trades", "require_valid"]


class TradeCheck(eqx.Module):
    """Which trades have which fault: bool arrays `[trade]`.

    `bad_price`: NaN, infinite, 0 or below; `bad_size`: NaN, infinite or below 0; `bad_side`: not -1, 0 or +1;
    `unknown_side`: 0, which is no fault but good to know; `clock_went_back`: earlier than the trade before it.
    """

    bad_price: np.ndarray
    bad_size: np.ndarray
    bad_side: np.ndarray
    unknown_side: np.ndarray
    clock_went_back: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """Number of trades with each."""
        names = ("bad_price", "bad_size", "bad_side", "unknown_side", "clock_went_back")
        return {name: int(np.count_nonzero(getattr(self, name))) for name in names}

    @property
    def invalid(self) -> np.ndarray:
        """Trades that nothing can be measured on: a bad price, size or side, `[trade]`."""
        return self.bad_price | self.bad_size | self.bad_side

    @property
    def ok(self) -> bool:
        """True where every trade is valid and the clock never goes back."""
        return not (self.invalid.any() or self.clock_went_back.any())


class CleanedTrades(eqx.Module):
    """What `clean_trades` left (`trades`), and what it did, by name (`counts`)."""

    trades: TradeSeries
    counts: dict[str, int]


def check_trades(trades: TradeSeries) -> TradeCheck:
    """Which trades have a bad price, size or side, no side, or come out of time order. Driver.

    >>> prices, sizes = np.array([100.0, np.nan]), np.array([5.0, -1.0])
    >>> trades = TradeSeries(np.array([2, 1]), prices, sizes, np.array([1, 0]), "XYZ")
    >>> check_trades(trades).counts
    {'bad_price': 1, 'bad_size': 1, 'bad_side': 0, 'unknown_side': 1, 'clock_went_back': 1}
    """
    require_trades(trades)
    price, size, side = np.asarray(trades.price), np.asarray(trades.size), np.asarray(trades.side)
    went_back = np.zeros(len(trades), bool)
    time_ns = np.asarray(trades.time_ns)
    went_back[1:] = time_ns[1:] < time_ns[:-1]
    return TradeCheck(
        bad_price=~((price > 0) & (price < np.inf)),
        bad_size=~((size >= 0) & (size < np.inf)),
        bad_side=(side < -1) | (side > 1),
        unknown_side=side == 0,
        clock_went_back=went_back,
    )


def clean_trades(trades: TradeSeries, *, time_order: Literal["sort", "keep", "raise"] = "sort") -> CleanedTrades:
    """The trades without those of a bad price, size or side, in time order, and what was done. Driver.

    `time_order`: what to do where the time goes back, "sort" (stable), "keep" or "raise". Raises ValueError for
    "raise", and for another.

    >>> trades = TradeSeries(np.array([2, 1]), np.array([1.0, 2.0]), np.array([5.0, 1.0]), np.array([1, 0]), "XYZ")
    >>> cleaned = clean_trades(trades)
    >>> cleaned.trades.price, cleaned.counts
    (array([2., 1.]), {'invalid_dropped': 0, 'clock_went_back': 1})
    """
    if time_order not in ("sort", "keep", "raise"):
        raise ValueError(f"expected time_order as 'sort', 'keep' or 'raise', got {time_order!r}")
    found = check_trades(trades)
    dropped = int(np.count_nonzero(found.invalid))
    kept = trades[~found.invalid] if dropped else trades
    time_ns = np.asarray(kept.time_ns)
    back = int(np.count_nonzero(np.diff(time_ns) < 0))
    if back and time_order == "raise":
        require_valid(kept, in_order=True)
    if back and time_order == "sort":
        kept = kept[np.argsort(time_ns, kind="stable")]
    return CleanedTrades(kept, {"invalid_dropped": dropped, "clock_went_back": back})


def require_trades(trades: object) -> None:
    """Raise TypeError for anything but a TradeSeries."""
    if isinstance(trades, TradeSeries):
        return
    advice = (
        "swap trades and books"
        if isinstance(trades, BookSeries)
        else "lob.TradeSeries(time_ns, price, size, side, symbol) makes one of numpy arrays"
    )
    raise TypeError(f"expected trades as a lob.TradeSeries, got {type(trades).__name__}; {advice}")


def require_valid(trades: TradeSeries, *, in_order: bool = False) -> None:
    """Raise ValueError where a price, size or side is bad, or, `in_order`, where the clock goes back. Driver."""
    found = check_trades(trades)
    if found.invalid.any():
        faults = ", ".join(
            f"{count} {name}" for name in ("bad_price", "bad_size", "bad_side") if (count := found.counts[name])
        )
        raise ValueError(
            f"expected positive prices, sizes >= 0 and sides -1, 0 or +1, got {faults} among {len(trades)} trades of "
            f"{trades.symbol}, the first in row {int(np.argmax(found.invalid))}; lob.clean_trades drops and counts them"
        )
    if in_order and found.clock_went_back.any():
        raise ValueError(
            f"expected times of {trades.symbol} that never decrease, got {found.counts['clock_went_back']} steps back, "
            f"the first in row {int(np.argmax(found.clock_went_back))}; lob.clean_trades sorts the trades"
        )
