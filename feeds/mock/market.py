"""What one simulated market is like: its units, its price, how busy and how deep it is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

__all__ = ["UNITS", "MarketConfig", "default_markets", "to_units"]

UNITS = 10**8
"""Every price and size is an integer number of 1e-8, the eight decimals of the wire."""


def to_units(text: str) -> int:
    """`"0.01"` -> 1_000_000, exactly; raises ValueError for what is not a positive number of at most 8 decimals."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0 or (scaled := number * UNITS) != int(scaled):
        raise ValueError(f"expected a positive decimal string of at most 8 decimals, got {text!r}")
    return int(number * UNITS)


@dataclass(frozen=True)
class MarketConfig:
    """A symbol and the parameters of its order flow.

    Units and price (decimal strings, at most 8 decimals): `tick_size`, `lot_size`, `mid` (the price at the start).

    Arrivals: `rate` events (orders and cancellations) per second on average, in clusters of branching ratio
    `branching` whose influence decays at `decay` per second (see `HawkesArrivals`).

    Kinds of event: of weights 1 (limit order), `market_ratio` (market order) and `resting / target` (cancellation of
    one of the resting orders, each as likely as any other), where target = 2 * `orders_per_side`: the rate of
    cancellation is proportional to what rests, and the book holds somewhat fewer orders than the target (about 1 -
    `market_ratio` of it).

    Limit orders: `side` at random, k ticks behind the best price that does not cross, where
    P(K > k) = (1 + k / `depth_scale`) ** -`depth_tail`, at most `max_distance` (Bouchaud, Mezard & Potters,
    "Statistical properties of stock order books", 2002: a power law with tail about 0.6); sizes are log-normal around
    `limit_lots` with deviation `limit_spread` of the logarithm.

    Market orders: sizes are Pareto from `market_lots` with tail index `market_tail`; the side repeats the last one
    with probability `sign_memory`, as large orders are split.

    A side with `min_levels` levels left is not taken from: see `MarketSimulation`.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    mid: str
    tick_size: str = "0.01"
    lot_size: str = "0.00001"
    rate: float = 40.0
    branching: float = 0.6
    decay: float = 4.0
    market_ratio: float = 0.20
    orders_per_side: int = 900
    depth_scale: float = 80.0
    depth_tail: float = 0.6
    max_distance: int = 4_000
    limit_lots: float = 5_000.0
    limit_spread: float = 1.0
    market_lots: float = 3_000.0
    market_tail: float = 1.4
    sign_memory: float = 0.6
    min_levels: int = 50
    first_update_id: int = 1_000_000

    def __post_init__(self) -> None:
        if not (self.symbol.isascii() and self.symbol.isalnum() and self.symbol == self.symbol.upper()):
            raise ValueError(f"expected a symbol of capital letters and digits, got {self.symbol!r}")
        if self.symbol != self.base_asset + self.quote_asset:
            raise ValueError(f"expected symbol = base_asset + quote_asset, got {self.symbol!r}")
        if to_units(self.mid) // to_units(self.tick_size) <= 2 * self.max_distance:
            raise ValueError(
                f"expected a mid of more than twice max_distance = {self.max_distance} ticks (the book must not "
                f"reach zero), got {self.mid} at ticks of {self.tick_size}"
            )
        if not 2 <= self.min_levels <= self.orders_per_side // 4 or self.max_distance < 4 * self.min_levels:
            raise ValueError(
                f"expected 2 <= min_levels <= orders_per_side / 4 and max_distance >= 4 * min_levels, got "
                f"{self.min_levels=}, {self.orders_per_side=}, {self.max_distance=}"
            )


def default_markets() -> tuple[MarketConfig, ...]:
    """BTCUSDT around 60,000, ETHUSDT around 2,500 and SOLUSDT around 150: each of other lots, rates and depth."""
    return (
        MarketConfig("BTCUSDT", "BTC", "USDT", mid="60000", rate=40.0),
        MarketConfig(
            "ETHUSDT",
            "ETH",
            "USDT",
            mid="2500",
            lot_size="0.0001",
            rate=30.0,
            orders_per_side=800,
            depth_scale=55.0,
            limit_lots=10_000.0,
            market_lots=6_500.0,
            first_update_id=2_000_000,
        ),
        MarketConfig(
            "SOLUSDT",
            "SOL",
            "USDT",
            mid="150",
            lot_size="0.001",
            rate=20.0,
            orders_per_side=700,
            depth_scale=25.0,
            limit_lots=15_000.0,
            market_lots=10_000.0,
            first_update_id=3_000_000,
        ),
    )
