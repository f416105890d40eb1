"""Binance spot: its addresses, streams and sync rules put together into a venue."""

from __future__ import annotations

from feeds.binance.lanes import LanePlan
from feeds.binance.settings import MAX_STREAMS, BinanceSettings, Limits, Market, check_symbols, weight_by_depth
from feeds.binance.venue import BinanceVenue
from feeds.rules import SpotRules

__all__ = ["BinanceSpot"]

_DEPTH_WEIGHTS = {100: 5.0, 500: 25.0, 1000: 50.0, 5000: 250.0}


class BinanceSpot(BinanceVenue):
    """Books and trades of Binance's spot market.

    Args:
        symbols: such as `["BTCUSDT", "ETHUSDT"]`.
        rest_url, stream_url: the exchange, its data-only twin, or the mock exchange.
        depth_limit: levels of a side in a snapshot, at most 5000; deeper levels are unknown until they change (rows
            that reach there are counted, `beyond_snapshot`). A snapshot of 5000 takes 250 of the 6,000 that requests
            may weigh in a minute, one of 1000 takes 50.
        update_speed: `"100ms"` or `"1000ms"`.
        trades: whether to follow trades too.
        combined: whether frames name their stream.
        rotate_after_s: age at which a connection is replaced (the venue ends it after 24 hours).
        stall_after_s: silence after which a connection is given up. Quiet symbols may say nothing for minutes; that a
            connection is dead the client's own ping finds out much sooner.
        limits: patience and buffers.

    Errors: ValueError.
    """

    def __init__(
        self,
        symbols: tuple[str, ...] | list[str],
        *,
        rest_url: str = "https://api.binance.com",
        stream_url: str = "wss://stream.binance.com:9443",
        depth_limit: int = 5000,
        update_speed: str = "100ms",
        trades: bool = True,
        combined: bool = True,
        rotate_after_s: float = 23.5 * 3600,
        stall_after_s: float = 300.0,
        limits: Limits | None = None,
    ) -> None:
        if not 1 <= depth_limit <= 5000:
            raise ValueError(f"expected a depth_limit of 1 to 5000, got {depth_limit}")
        if update_speed not in ("100ms", "1000ms"):
            raise ValueError(f"expected an update_speed of '100ms' or '1000ms', got {update_speed!r}")
        settings = BinanceSettings(
            venue="binance",
            symbols=check_symbols(symbols),
            rest_url=rest_url.rstrip("/"),
            stream_url=stream_url.rstrip("/"),
            depth_limit=depth_limit,
            update_speed=update_speed,
            trades=trades,
            combined=combined,
            rotate_after_s=rotate_after_s,
            stall_after_s=stall_after_s,
            limits=limits or Limits(),
        )
        super().__init__(_market(settings), settings)


def _market(settings: BinanceSettings) -> Market:
    path = "/stream" if settings.combined else "/ws"
    speed = "" if settings.update_speed == "1000ms" else f"@{settings.update_speed}"
    per_symbol = 2 if settings.trades else 1
    group = MAX_STREAMS // per_symbol
    lanes = []
    for start in range(0, len(settings.symbols), group):
        symbols = settings.symbols[start : start + group]
        streams = [f"{symbol.lower()}@depth{speed}" for symbol in symbols]
        streams += [f"{symbol.lower()}@trade" for symbol in symbols if settings.trades]
        lanes.append(LanePlan(settings.stream_url + path, tuple(streams), symbols))
    return Market(
        rules=SpotRules(),
        depth_url=f"{settings.rest_url}/api/v3/depth?symbol={{symbol}}&limit={settings.depth_limit}",
        info_url=f"{settings.rest_url}/api/v3/exchangeInfo?symbols={{symbols}}",
        depth_weight=weight_by_depth(settings.depth_limit, _DEPTH_WEIGHTS),
        info_weight=20.0,
        lanes=tuple(lanes),
    )
