"""Coin-margined futures are traded in contracts of so many US dollars: what one contract is in base currency."""

from __future__ import annotations

import msgspec

__all__ = ["Contracts"]

BITCOIN_USD = 100.0
OTHER_USD = 10.0


class _Symbol(msgspec.Struct):
    symbol: str
    size: float | None = msgspec.field(default=None, name="contractSize")


class _Info(msgspec.Struct):
    symbols: list[_Symbol]


class Contracts:
    """US dollars a contract of Binance's COIN-M futures, by symbol such as `BTCUSD_PERP`.

    As `exchangeInfo` states it where that is recorded, else Binance's contract specification: 100 USD for bitcoin, 10
    USD for every other coin. A size in base currency is contracts x dollars / price.
    """

    def __init__(self) -> None:
        self._stated: dict[str, float] = {}

    def learn(self, exchange_info: bytes) -> None:
        """Take in the body of an `exchangeInfo` answer; what it does not say stays as it was."""
        try:
            info = msgspec.json.decode(exchange_info, type=_Info, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        self._stated |= {entry.symbol: entry.size for entry in info.symbols if entry.size}

    def size(self, symbol: str) -> float:
        """US dollars a contract."""
        return self._stated.get(symbol, BITCOIN_USD if symbol.startswith("BTCUSD") else OTHER_USD)

    def describe(self, symbol: str) -> str:
        """The number and where it is from, for `metadata["contract_multiplier"]`."""
        source = "stated by the exchange" if symbol in self._stated else "Binance's contract specification"
        return f"{self.size(symbol):g} USD a contract, {source}"
