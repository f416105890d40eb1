"""Small option chains of a known market, written in each format by plain code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.io.files import write

NEW_YORK = ZoneInfo("America/New_York")
HEADER_2019 = (
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Vol,IV,Delta,Gamma,Open Int,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Vol,IV,Delta,Gamma,Open Int"
)
HEADER_2022 = HEADER_2019.replace("Vol,", "Volume,").replace("Open Int", "Open Interest")
DERIBIT = (
    "Instrument,Volume,Open,ExtValue,Rho,Theta,Vega,Gamma,NDelta,Δ|Delta,Last,Size,IV Bid,Bid,Mark,Ask,IV Ask,Size"
)
LEAN = (
    "right,strike,expiry,time,bid_open,bid_high,bid_low,bid_close,bid_size,ask_open,ask_high,ask_low,ask_close,ask_size"
)


@dataclass
class Market:
    """A market with a forward F(T) = spot exp(carry T), D(T) = exp(-rate T) and a skewed smile."""

    spot: float = 100.0
    rate: float = 0.03
    carry: float = 0.01

    def forward(self, maturity: float) -> float:
        return self.spot * math.exp(self.carry * maturity)

    def vol(self, strike: float, maturity: float) -> float:
        k = math.log(strike / self.forward(maturity))
        return 0.2 - 0.1 * k + 0.3 * k * k

    def price(self, strike: float, maturity: float, call: bool, vol: float | None = None) -> float:
        """Black's price."""
        forward, discount = self.forward(maturity), math.exp(-self.rate * maturity)
        deviation = (vol or self.vol(strike, maturity)) * math.sqrt(maturity)
        d1 = math.log(forward / strike) / deviation + deviation / 2
        sign = 1 if call else -1
        first, second = (0.5 * math.erfc(-sign * d / math.sqrt(2)) for d in (d1, d1 - deviation))
        return discount * sign * (forward * first - strike * second)


def years(as_of: datetime, expiry: datetime) -> float:
    # As instants: two times of one zone subtract by the clock on the wall, which summer time moves.
    return (expiry.timestamp() - as_of.timestamp()) / (365 * 86_400)


AS_OF = datetime(2019, 4, 9, 11, 9, tzinfo=NEW_YORK)
"""The time in the tables that `cboe` writes."""

EXPIRIES = {
    ("SPXW", date(2019, 4, 12)): datetime(2019, 4, 12, 16, tzinfo=NEW_YORK),
    ("SPX", date(2019, 6, 21)): datetime(2019, 6, 21, 9, 30, tzinfo=NEW_YORK),
    ("SPXW", date(2019, 6, 21)): datetime(2019, 6, 21, 16, tzinfo=NEW_YORK),
    ("SPXW", date(2019, 12, 31)): datetime(2019, 12, 31, 16, tzinfo=NEW_YORK),
}
STRIKES = [75.0, 80.0, 84.0, 88.0, 91.0, 93.0, 95.0, 97.0, 98.5, 100.0, 101.5, 103.0, 105.0, 108.0, 112.0, 118.0, 125.0]


def cboe_row(
    root: str, day: date, strike: float, call: tuple[float, float], put: tuple[float, float], text: str
) -> str:
    """A row of a table: bids and asks of the two, and the day as the header's style writes it."""
    sides = []
    for right, (bid, ask) in (("C", call), ("P", put)):
        symbol = f"{root}{day:%y%m%d}{right}{round(1000 * strike):08d}"
        sides.append(f"{symbol},0,0,{bid!r},{ask!r},7,0.21,0.5,0.01,11")
    return f"{text},{sides[0]},{strike:.3f},{sides[1]}"


def cboe_rows(market: Market, *, spread: float = 0.02, style: str = "%m/%d/%Y") -> list[str]:
    """A row for each expiry and strike, quotes about the model's price."""
    rows = []
    for (root, day), expiry in EXPIRIES.items():
        for strike in STRIKES:
            maturity = years(AS_OF, expiry)
            quotes = []
            for call in (True, False):
                price = market.price(strike, maturity, call)
                # Nobody bids for what is worth less than the spread.
                quotes.append((price - spread / 2, price + spread / 2) if price > spread else (0, spread))
            rows.append(cboe_row(root, day, strike, *quotes, f"{day:{style}}"))
    return rows


def cboe(path: Path, rows: list[str], *, style: int = 2019, newline: str = "\r\n") -> Path:
    """A table in the style of 2019 or of 2022 (saved on a Saturday)."""
    if style == 2019:
        head = [
            "^SPX (Standard & Poors 500 Index),100.0,-1.5",
            "Apr 09 2019 @ 11:09 ET,Bid,99.9,Ask,100.1,Size,1x1,Vol,",
        ]
        head.append(HEADER_2019)
    else:
        head = ["", "Standard & Poors 500 Index,Last: 100.0,Change:  1.5"]
        head += ['"Date: April 13 2019, 8:09 PM EST",Bid: 99.9,Ask: 100.1,Size: 1*1,Volume: 0', HEADER_2022]
    return write(path, newline.join([*head, *rows]) + newline)


def deribit_row(instrument: str, bid: str, ask: str, iv_bid: str = "-", iv_ask: str = "-") -> str:
    return f"{instrument},1.5,20,,0.1,-0.2,0.3,-,,0.5,-,10,{iv_bid},{bid},0.1,{ask},{iv_ask},0.2"


def lean_row(right: str, strike: float, day: date, bid: float | None, ask: float | None, start_ms: int) -> str:
    bid_text, ask_text = ("" if price is None else f"{round(10_000 * price)}" for price in (bid, ask))
    bids, asks = (",".join([text] * 4) for text in (bid_text, ask_text))
    return f"{right},{strike:g},{day:%Y%m%d},{start_ms},{bids},5,{asks},6"
