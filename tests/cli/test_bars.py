"""`quantjax bars`: every kind, its summary and its files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from quantjax import io
from quantjax.cli import app
from tests.cli.market import write_market
from tests.conftest import ROOT

run = CliRunner().invoke


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    return write_market(tmp_path_factory.mktemp("bars") / "XYZ_market.txt.gz", messages=300)


def as_json(*arguments: str) -> dict:
    result = run(app, ["bars", *arguments, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ([], "TimeBars(interval='1s')"),
        (["--every", "500ms"], "TimeBars(interval='500ms')"),
        (["--every", "2"], "TimeBars(interval='2')"),
        (["--ticks", "25"], "TickBars(trades=25)"),
        (["--volume", "10"], "VolumeBars"),
        (["--notional", "1000.5"], "NotionalBars"),
        (["--imbalance", "volume", "--threshold", "6"], "ImbalanceBars(of='volume'"),
    ],
)
def test_every_kind(recording, options, kind):
    result = as_json(str(recording), *options)
    assert result["kind"].startswith(kind)
    one = result["symbols"]["XYZ"]
    assert one["bars"] > 5
    assert one["trades"] + one["trades_outside"] == 300
    assert one["volume"] == pytest.approx(one["bought"] + one["sold"])


def test_files_are_the_bars(recording, tmp_path):
    result = as_json(str(recording), "--every", "2s", "--out", str(tmp_path / "new"), "--csv", "--plots")
    assert [Path(file).suffix for file in result["files"]] == [".parquet", ".csv", ".png"]
    frame = pd.read_parquet(tmp_path / "new/bars-XYZ.parquet")
    one = result["symbols"]["XYZ"]
    assert len(frame) == one["bars"]
    assert frame["volume"].sum() == pytest.approx(one["volume"])
    text = pd.read_csv(tmp_path / "new/bars-XYZ.csv")
    assert text["close"].tolist() == pytest.approx(frame["close"].tolist(), nan_ok=True)


def test_tables_have_one_of_two_suffixes(tmp_path):
    frame = pd.DataFrame({"close": [1.0]})
    with pytest.raises(ValueError, match=r"\.parquet or \.csv"):
        io.write_table(tmp_path / "bars.xlsx", frame)
    frame.attrs["symbol"] = "XYZ"
    metadata = pq.read_schema(io.write_table(tmp_path / "new/bars.parquet", frame)).metadata
    assert metadata is not None
    assert metadata[b"symbol"] == b"XYZ"


def test_no_trades_is_said(tmp_path):
    result = as_json(str(ROOT / "tests/data/books.jsonl"), "--out", str(tmp_path))
    assert "no trades" in result["symbols"]["ETHUSDT"]["note"]
    assert result["files"] == []


@pytest.mark.parametrize(
    "options",
    [
        ["--every", "1s", "--ticks", "5"],
        ["--imbalance", "tick"],
        ["--threshold", "5"],
        ["--imbalance", "price", "--threshold", "5"],
        ["--every", "1 fortnight"],
        ["--volume", "many"],
        ["--ticks", "0"],
        ["--plots"],
        ["--clock", "mine"],
    ],
)
def test_wrong_usage(recording, options):
    assert run(app, ["bars", str(recording), *options]).exit_code == 2


def test_plots_without_matplotlib_name_the_extra_and_leave_nothing(recording, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(app, ["bars", str(recording), "--out", str(tmp_path / "new"), "--plots"])
    assert isinstance(result.exception, ImportError)
    assert "quantjax[plots]" in str(result.exception)
    assert not (tmp_path / "new").exists()
