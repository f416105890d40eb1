"""Binance futures, USD-M and COIN-M: the same machine with the futures' rules, where `pu` chains the updates."""

from __future__ import annotations

from feeds.binance.lanes import LanePlan
from feeds.binance.settings import MAX_STREAMS, BinanceSettings, Limits, Market, check_symbols, weight_by_depth
from feeds.binance.venue import BinanceVenue
from feeds.rules import FuturesRules

__all__ = ["BinanceFutures"]

# Requests weigh 2, 5, 10, 20 (and 1 for the symbols), of 2,400 a minute: the same in units of which there are 6,000.
_DEPTH_WEIGHTS = {50: 5.0, 100: 12.5, 500: 25.0, 1000: 50.0}


class BinanceFutures(BinanceVenue):
    """Books and aggregate trades of Binance's USD-M futures; `BinanceFutures.coin_margined(...)` for COIN-M.

    Made for recordings; the live addresses (USD-M: depth and trades on two connections) are set, and no test here
    reaches them. Sizes of COIN-M are contracts. Arguments as in `feeds.binance.BinanceSpot`.

    Errors: ValueError.
    """

    def __init__(
        self,
        symbols: tuple[str, ...] | list[str],
        *,
        rest_url: str = "https://fapi.binance.com",
        stream_url: str = "wss://fstream.binance.com",
        depth_limit: int = 1000,
        update_speed: str = "100ms",
        trades: bool = True,
        combined: bool = True,
        rotate_after_s: float = 23.5 * 3600,
        stall_after_s: float = 300.0,
        limits: Limits | None = None,
        venue: str = "binance-usdm",
    ) -> None:
        if venue not in ("binance-usdm", "binance-coinm"):
            raise ValueError(f"expected venue 'binance-usdm' or 'binance-coinm', got {venue!r}")
        if not 1 <= depth_limit <= 1000:
            raise ValueError(f"expected a depth_limit of 1 to 1000, got {depth_limit}")
        settings = BinanceSettings(
            venue=venue,
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

    @classmethod
    def coin_margined(
        cls,
        symbols: tuple[str, ...] | list[str],
        *,
        rest_url: str = "https://dapi.binance.com",
        stream_url: str = "wss://dstream.binance.com",
        **options: object,
    ) -> BinanceFutures:
        """COIN-M: the same streams from other addresses."""
        return cls(symbols, rest_url=rest_url, stream_url=stream_url, venue="binance-coinm", **options)  # type: ignore[arg-type]


def _market(settings: BinanceSettings) -> Market:
    coin_margined = settings.venue == "binance-coinm"
    path = "/dapi/v1" if coin_margined else "/fapi/v1"
    end = "stream" if settings.combined else "ws"
    # since April 2026, USD-M serves depth and trades at different addresses, one connection each
    books, trades = ("", "") if coin_margined else ("/public", "/market")
    lanes = []
    for start in range(0, len(settings.symbols), MAX_STREAMS):
        symbols = settings.symbols[start : start + MAX_STREAMS]
        depth = tuple(f"{symbol.lower()}@depth@{settings.update_speed}" for symbol in symbols)
        lanes.append(LanePlan(f"{settings.stream_url}{books}/{end}", depth, symbols))
    if settings.trades:
        for start in range(0, len(settings.symbols), MAX_STREAMS):
            streams = tuple(f"{symbol.lower()}@aggTrade" for symbol in settings.symbols[start : start + MAX_STREAMS])
            lanes.append(LanePlan(f"{settings.stream_url}{trades}/{end}", streams, ()))
    return Market(
        rules=FuturesRules(),
        depth_url=f"{settings.rest_url}{path}/depth?symbol={{symbol}}&limit={settings.depth_limit}",
        info_url=f"{settings.rest_url}{path}/exchangeInfo",
        depth_weight=weight_by_depth(settings.depth_limit, _DEPTH_WEIGHTS),
        info_weight=2.5,
        lanes=tuple(lanes),
        chained=True,
    )
