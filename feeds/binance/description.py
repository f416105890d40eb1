"""From a venue's description, as a recording holds it, to an equal venue."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from feeds.binance.futures import BinanceFutures
from feeds.binance.settings import BinanceSettings
from feeds.binance.spot import BinanceSpot
from feeds.binance.venue import BinanceVenue
from feeds.errors import MalformedMessage

__all__ = ["venue_from_description"]


def venue_from_description(payload: bytes) -> BinanceVenue:
    """The venue that gave this description (payload of a SESSION input): equal inputs then give equal outputs.

    Errors: MalformedMessage.
    """
    try:
        settings = msgspec.json.decode(payload, type=BinanceSettings)
        options = {name: getattr(settings, name) for name in settings.__struct_fields__ if name != "venue"}
        makers: dict[str, Callable[..., BinanceVenue]] = {
            "binance": BinanceSpot,
            "binance-usdm": BinanceFutures,
            "binance-coinm": BinanceFutures.coin_margined,
        }
        return makers[settings.venue](**options)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, ValueError) as error:
        raise MalformedMessage(f"expected a Binance venue's description, got {payload[:200]!r}: {error}") from error
