"""The format is found by looking, and what cannot be read is said clearly."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quantjax import io
from tests.io.files import json_line, write, write_hft, write_jsonl
from tests.io.test_binance_files import SPOT


def test_genuine_files(data: Path) -> None:
    found = {file.name: io.find_format(file) for file in (data / "lobster").iterdir()}
    found |= {file.name: io.find_format(file) for file in (data / "binance_raw").iterdir()}
    found |= {file.name: io.find_format(file) for file in (data / "exchange_raw").iterdir()}
    assert {name: found[name] for name in sorted(found)} == {
        name: "lobster"
        if name.startswith(("AAPL", "AMZN"))
        else "binance-json"
        if name.startswith("ETHBTC")
        else "cryptofeed"
        if name.startswith("cryptofeed")
        else "hftbacktest"
        for name in sorted(found)
    }


def test_bad_first_lines_do_not_hide_the_format(tmp_path: Path) -> None:
    assert io.find_format(write_jsonl(tmp_path / "a", "{broken", json_line(0))) == "jsonl"
    assert io.find_format(write_hft(tmp_path / "b", "broken", *SPOT)) == "hftbacktest"


@pytest.mark.parametrize("read", [io.read_books, io.stream_books])
def test_files_that_are_no_recordings(tmp_path: Path, read) -> None:
    with pytest.raises(FileNotFoundError, match="found nothing there"):
        read(tmp_path / "missing.csv")
    with pytest.raises(FileNotFoundError, match="found nothing there"):
        read(tmp_path / "missing.csv", format="lobster")
    with pytest.raises(io.DataError, match="empty"):
        read(write(tmp_path / "empty.jsonl", ""))
    with pytest.raises(io.DataError, match="empty"):
        read(write(tmp_path / "empty.jsonl.gz", ""))
    with pytest.raises(io.DataError, match=r"(?s)got none of these.*lobster: .*recording: .*cryptofeed: "):
        read(write(tmp_path / "x.csv", "a,b\n1,2\n"))
    with pytest.raises(io.DataError, match="got none of these"):
        read(tmp_path)
    with pytest.raises(ValueError, match=r"expected a format of lobster, jsonl, .*got 'excel'"):
        read(tmp_path / "x.csv", format="excel")
    with pytest.raises(io.DataError, match="expected a file, which is what lobster data is in"):
        read(tmp_path, format="lobster")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 0}, "levels >= 1"),
        ({"clock": "wall"}, "'received' or 'exchange'"),
        ({"interval_s": 0}, "interval"),
        ({"interval_s": "hourly"}, "interval_s in seconds"),
        ({"interval_s": "as recorded"}, "only raw recordings know"),
        ({"damaged": "ignore"}, "'raise' or 'skip'"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict, message: str) -> None:
    path = write_jsonl(tmp_path / "books.jsonl", json_line(0))
    with pytest.raises(ValueError, match=message):
        io.read_books(path, **options)
    with pytest.raises(ValueError, match="block_rows >= 1"):
        io.stream_books(path, block_rows=0)


def test_formats_given_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x", write_jsonl(tmp_path / "y", json_line(0)).read_bytes())
    assert io.read_books(path, format="jsonl").format == "jsonl"


def test_names_of_counts_are_documented(tmp_path: Path) -> None:
    from feeds.faults import REASONS
    from feeds.recording.session import RECORDING_REASONS

    data = io.read_books(write_hft(tmp_path / "b", "broken", *SPOT))
    assert set(data.counts) <= set(io.COUNT_NAMES) | set(REASONS) | set(RECORDING_REASONS)


def test_public_names() -> None:
    assert sorted(io.__all__) == sorted({*io.__all__})
    assert all(hasattr(io, name) for name in io.__all__)


def test_neither_pandas_nor_arrow_is_loaded_by_the_import() -> None:
    code = "import sys, quantjax.io; print([name for name in ('pandas', 'pyarrow') if name in sys.modules])"
    root = Path(io.__file__).parents[2]
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["reading", "formats", "datasets"])
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"quantjax.io.{name}")
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0


def test_data_sets_by_name(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUANTJAX_DATA", str(data))
    assert all(io.datasets.path(name).is_file() for name in io.datasets.names())
    assert len(io.datasets.books("lobster-aapl-10", levels=3).only()) == 999
    monkeypatch.setenv("QUANTJAX_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="expected lobster/AMZN"):
        io.datasets.path("lobster-amzn")


def test_data_sets_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"expected a data set of lobster-amzn, .*got 'amzn'"):
        io.datasets.path("amzn")
    monkeypatch.delenv("QUANTJAX_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="environment variable QUANTJAX_DATA"):
        io.datasets.path("lobster-amzn")
    monkeypatch.setenv("QUANTJAX_DATA", "/nowhere")
    with pytest.raises(FileNotFoundError, match="got /nowhere, which is none"):
        io.datasets.path("lobster-amzn")


def test_prices_too_large_for_a_tick_to_be_told(tmp_path: Path) -> None:
    line = json_line(0, bids=[[1e12, 1.0]], asks=[[2e12, 1.0]])
    data = io.read_books(write_jsonl(tmp_path / "books.jsonl", line))
    assert data.metadata["tick_size"]["BTCUSDT"].startswith("1e-08, unknown")
    assert np.isfinite(data.only().book.bid_price[0, 0])
