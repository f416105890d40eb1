"""Binance: spot, live and recorded; futures, for recordings."""

from feeds.binance.description import venue_from_description
from feeds.binance.futures import BinanceFutures
from feeds.binance.settings import Limits
from feeds.binance.spot import BinanceSpot

__all__ = ["BinanceFutures", "BinanceSpot", "Limits", "venue_from_description"]
