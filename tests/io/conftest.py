"""The large files are read once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantjax import io


@pytest.fixture(scope="session")
def amzn_path(data: Path) -> Path:
    return data / "lobster/AMZN_2012-06-21_34200000_57600000_message_5.csv.gz"


@pytest.fixture(scope="session")
def amzn(amzn_path: Path) -> io.BookData:
    return io.read_books(amzn_path)


@pytest.fixture(scope="session")
def spot_path(data: Path) -> Path:
    return data / "binance_raw/spot_btcusdt_20240808.gz"


@pytest.fixture(scope="session")
def spot(spot_path: Path) -> io.BookData:
    return io.read_books(spot_path)


@pytest.fixture(scope="session")
def usdm(data: Path) -> io.BookData:
    return io.read_books(data / "binance_raw/usdm_btcusdt_20240808.gz")


@pytest.fixture(scope="session")
def coinm(data: Path) -> io.BookData:
    return io.read_books(data / "binance_raw/cm_btcusd_perp_20240808.gz")
