"""The commands, as a user types them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from quantjax.cli import app
from tests.conftest import ROOT

BOOKS = ROOT / "tests/data/books.jsonl"
run = CliRunner().invoke


def as_json(*arguments: str) -> dict:
    result = run(app, [*arguments, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def in_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from quantjax.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT)


def test_help_loads_nothing_heavy():
    code = (
        "import sys, runpy; sys.argv = ['quantjax', '--help']\n"
        "from quantjax.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'jax', 'pandas', 'numpy', 'pyarrow', 'matplotlib', 'fastapi'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for command in ("info", "mock", "record", "replay", "analyze", "flow", "bars", "demo", "bench"):
        assert f"  {command} " in result.stdout


def test_every_command_has_help():
    for command in ("info", "mock", "record", "replay", "analyze", "flow", "bars", "demo", "bench"):
        result = run(app, [command, "--help"])
        assert result.exit_code == 0
        assert "Usage" in result.output


def test_info_shows_the_installation_and_an_input():
    installation = as_json("info")
    assert installation["packages"]["jax"]
    assert "cpu" in installation["devices"]
    described = as_json("info", str(BOOKS))
    assert described["format"] == "jsonl"
    assert described["symbols"]["ETHUSDT"]["books"] == 48
    text = run(app, ["info", str(BOOKS)]).stdout
    assert "ETHUSDT:" in text


def test_analyze_writes_every_metric(tmp_path: Path):
    result = as_json("analyze", str(BOOKS), "--out", str(tmp_path), "--bands", "2,8", "--notionals", "500")
    frame = pd.read_parquet(tmp_path / "analysis-ETHUSDT.parquet")
    assert result["symbols"]["ETHUSDT"]["books"] == len(frame) == 48
    assert {"mid", "bid_depth_8bps", "round_trip_cost_bps_500"} <= set(frame)
    mean = result["symbols"]["ETHUSDT"]["means"]["microprice"]
    assert mean == pytest.approx(frame["microprice"].mean(), rel=1e-12)


def test_analyze_reports(tmp_path: Path):
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(BOOKS.read_bytes()))
    result = as_json("analyze", str(packed), "--report", "--out", str(tmp_path / "out"))
    page = (tmp_path / "out/report.html").read_text()
    assert "ETHUSDT" in page
    assert result["symbols"]["ETHUSDT"]["means"]["mid"] > 0
    streamed = as_json("analyze", str(packed))
    assert streamed["symbols"] == result["symbols"]


def test_books_with_faults_are_reported_not_fatal(tmp_path: Path):
    lines = BOOKS.read_text().splitlines()[:5]
    crossed = json.loads(lines[1])
    crossed["bids"][0][0] = crossed["asks"][0][0] + 1
    unsorted = json.loads(lines[2])
    unsorted["asks"].reverse()
    dirty = tmp_path / "dirty.jsonl"
    dirty.write_text("\n".join([lines[0], json.dumps(crossed), json.dumps(unsorted), *lines[3:]]) + "\n")
    result = as_json("analyze", str(dirty), "--report", "--out", str(tmp_path / "out"))
    assert result["symbols"]["ETHUSDT"]["crossed"] == 1
    assert result["symbols"]["ETHUSDT"]["invalid"] == 1
    assert (tmp_path / "out/report.html").is_file()


def test_a_recording_without_a_book_is_an_error(tmp_path: Path):
    addresses = ["--rest-url", "http://127.0.0.1:9", "--stream-url", "ws://127.0.0.1:9"]
    result = in_process("record", "BTCUSDT", "--out", str(tmp_path / "r"), "--duration", "1", *addresses)
    assert result.returncode == 1
    assert "no book of BTCUSDT was ever in sync" in result.stderr


def test_an_error_is_one_line_and_debug_shows_where(tmp_path: Path):
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    missing = in_process("analyze", str(tmp_path / "nothing.csv"))
    assert missing.returncode == 1
    assert missing.stderr.startswith("quantjax: error: ")
    assert missing.stderr.count("\n") == 1
    assert missing.stdout == ""
    assert in_process("analyze", str(empty)).returncode == 1
    shown = in_process("analyze", str(tmp_path / "nothing.csv"), "--debug")
    assert shown.returncode == 1
    assert "Traceback" in shown.stderr


@pytest.mark.parametrize(
    "arguments", [["analyze"], ["analyze", str(BOOKS), "--bands", "5,x"], ["nonsense"], ["mock", "--speed", "fast"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]):
    assert run(app, arguments).exit_code == 2


def test_bench_names_its_workloads():
    assert "book_metrics" in in_process("bench", "nonsense").stderr


def test_record_replay_analyze_against_the_mock_exchange(tmp_path: Path):
    from feeds.mock import MockExchange, serve_in_thread

    recording, again = tmp_path / "recording", tmp_path / "again"
    truth = tmp_path / "truth.jsonl"
    exchange = MockExchange(seed=3, truth_path=truth)
    with serve_in_thread(exchange, speed=20.0, hold=True) as server:
        addresses = ["--rest-url", server.rest_url, "--stream-url", server.stream_url]
        options = ["--out", str(recording), "--duration", "2", "--interval", "0.1", "--levels", "5"]
        recorded = as_json("record", "BTCUSDT", "SOLUSDT", *options, *addresses)
    exchange.close()
    assert recorded["counts"]["rows"] > 10
    replayed = as_json("replay", str(recording))
    assert sum(replayed["books"].values()) == recorded["counts"]["rows"]
    checked = as_json("replay", str(recording), "--truth", str(truth), "--out", str(again))
    assert checked["truth"]["compared"] == checked["truth"]["equal"] > 10
    for file in recording.glob("books-*"):
        assert file.read_bytes() == (again / file.name).read_bytes(), file.name
    analysed = as_json("analyze", str(recording), "--symbols", "SOLUSDT", "--depth", "5")
    assert analysed["symbols"]["SOLUSDT"]["books"] > 10
    assert list(analysed["symbols"]) == ["SOLUSDT"]


def test_unknown_symbol_is_a_clear_error(tmp_path: Path):
    from feeds.mock import MockExchange, serve_in_thread

    with serve_in_thread(MockExchange(seed=3), speed=5.0) as server:
        addresses = ["--rest-url", server.rest_url, "--stream-url", server.stream_url]
        result = in_process("record", "NOSUCH", "--out", str(tmp_path / "r"), "--duration", "10", *addresses)
    assert result.returncode == 1
    assert "NOSUCH" in result.stderr


def test_demo_goes_the_whole_way_twice(tmp_path: Path):
    for _ in range(2):
        result = as_json("demo", "--out", str(tmp_path), "--seconds", "60")
        assert result["truth"]["compared"] == result["truth"]["equal"] > 300
        assert set(result["symbols"]) == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
        assert (tmp_path / "report.html").stat().st_size < 5_000_000
