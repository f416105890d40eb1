"""Trades: as arrays, joined to books, signed, and what is measured on them."""

from quantjax.lob.trades.series import TradeSeries

__all__ = ["TradeSeries"]
