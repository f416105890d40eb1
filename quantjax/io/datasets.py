"""Recorded data sets by name, under the folder that the environment variable `QUANTJAX_DATA` names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantjax.io.data import BookData
from quantjax.io.reading import read_books

if TYPE_CHECKING:
    from quantjax.io.chains import OptionChain

__all__ = ["DATASETS", "books", "chain", "names", "path"]

VARIABLE = "QUANTJAX_DATA"

DATASETS: dict[str, str] = {
    "lobster-amzn": "lobster/AMZN_2012-06-21_34200000_57600000_message_5.csv.gz",
    "lobster-aapl-1": "lobster/AAPL_2012-06-21_34200000_57600000_message_1.csv.gz",
    "lobster-aapl-10": "lobster/AAPL_2012-06-21_34200000_57600000_message_10.first999rows.csv.gz",
    "binance-spot": "binance_raw/spot_btcusdt_20240808.gz",
    "binance-usdm": "binance_raw/usdm_btcusdt_20240808.gz",
    "binance-coinm": "binance_raw/cm_btcusd_perp_20240808.gz",
    "binance-ethbtc": "binance_raw/ETHBTC_2020-11-01T09-00-00_update.json.gz",
    "cryptofeed-binance": "exchange_raw/cryptofeed_BINANCE.ws.1.0.gz",
    "cboe-spx-2019": "options/cboe_SPX_20190409.csv.gz",
    "cboe-spx-2022": "options/cboe_SPX_20220204close_quotedata.csv.gz",
    "deribit-btc-20260422": "options/deribit_BTC_20260422_export.csv.gz",
    "deribit-btc-20260427": "options/deribit_BTC_20260427_export.csv.gz",
    "lean-goog-2015": "options/lean_goog_20151224_quotes_at_1100ET.csv.gz",
}
"""Files of the data sets; where a format has several, one of them. Those under `options/` are option chains."""


def names() -> tuple[str, ...]:
    """Names of the data sets.

    >>> "lobster-amzn" in names()
    True
    """
    return tuple(DATASETS)


def path(name: str) -> Path:
    """Path of a data set. Raises ValueError for a name that is none, FileNotFoundError (which says what to set) where
    the variable, the folder or the file is missing."""
    if name not in DATASETS:
        raise ValueError(f"expected a data set of {', '.join(DATASETS)}, got {name!r}")
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise FileNotFoundError(
            f"expected the environment variable {VARIABLE} to name the folder of recorded data, got none; set it, for "
            f"example {VARIABLE}=/data/markets, to read {name!r}"
        )
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"expected {VARIABLE} to name a folder, got {folder}, which is none")
    found = Path(folder) / DATASETS[name]
    if not found.is_file():
        raise FileNotFoundError(f"expected {DATASETS[name]} in {folder} ({VARIABLE}) for {name!r}, found none")
    return found


def books(name: str, **options: Any) -> BookData:
    """`io.read_books` of a data set, with its keyword arguments. Driver.

    >>> books("lobster-amzn").only().symbol  # doctest: +SKIP
    'AMZN'
    """
    return read_books(path(name), **options)


def chain(name: str, **options: Any) -> OptionChain:
    """`io.load_chain` of a data set, with its keyword arguments. Driver.

    >>> chain("cboe-spx-2019").symbol  # doctest: +SKIP
    'SPX'
    """
    from quantjax.io.chains import load_chain

    return load_chain(path(name), **options)
