"""`quantjax flow`: what it measures, what it leaves out and says so, and what it writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from quantjax import io, lob
from quantjax.cli import app
from quantjax.cli.flow_study import study_flow
from quantjax.cli.stretches import Stretch, books_of, cut_stretches, pooled_imbalance
from quantjax.report import flow_numbers
from tests.assertions import assert_close
from tests.cli.market import STEP_NS, write_market
from tests.conftest import ROOT

run = CliRunner().invoke
HORIZONS = ("--horizons", "1,2")


def as_json(*arguments: str) -> dict:
    result = run(app, ["flow", *arguments, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return write_market(tmp_path_factory.mktemp("flow") / "XYZ_whole.txt.gz")


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> Path:
    return write_market(tmp_path_factory.mktemp("flow") / "XYZ_broken.txt.gz", gap_at=300)


@pytest.fixture(scope="module")
def found(broken, tmp_path_factory) -> tuple[dict, Path]:
    """What the command says of the recording with a gap, and where it wrote."""
    out = tmp_path_factory.mktemp("out")
    return as_json(str(broken), "--out", str(out), *HORIZONS), out


def test_books_of_a_stream_are_those_that_reading_gives(broken):
    streams = io.read_updates(broken, clock="exchange").streams["XYZ"]
    books = [books_of(stream, levels=10) for stream in streams]
    assert all(series.book.levels == 5 for series in books)  # as deep as there is anything
    recorded = io.read_books(broken, levels=5, clock="exchange").only()
    for name in ("bid_price", "bid_size", "ask_price", "ask_size"):
        # The snapshots are books of ours and no rows of reading.
        ours = np.concatenate([getattr(series.book, name)[1:] for series in books])
        np.testing.assert_array_equal(ours[-200:], getattr(recorded.book, name)[-200:])
    every = books_of(streams[0], levels=5, every_ns=STEP_NS * 10)
    assert (np.diff(every.time_ns) == STEP_NS * 10).all()
    assert (every.time_ns % (STEP_NS * 10) == 0).all()


def test_books_are_compared_with_quotes(whole):
    stream = io.read_updates(whole).only()
    quotes = io.read_quotes(whole).only()
    check = io.compare_quotes(stream, quotes)
    assert check.compared == check.equal == 600
    # A quote that is wrong is found, and so are its neighbours not.
    size = np.array(quotes.series.book.bid_size)
    size[300] += 1.0
    book = lob.Book(quotes.series.book.bid_price, size, quotes.series.book.ask_price, quotes.series.book.ask_size)
    wrong = lob.BookSeries(quotes.series.time_ns, book, "XYZ", 0.01)
    other = io.compare_quotes(stream, io.QuoteSeries(wrong, quotes.update_id, quotes.received_ns, quotes.exchange_ns))
    assert (other.compared, other.equal) == (600, 599)


def test_no_interval_crosses_a_gap(broken):
    data = io.read_updates(broken, clock="exchange")
    stretches, counts = cut_stretches([books_of(s, 5) for s in data.streams["XYZ"]], data.trades["XYZ"])
    assert len(stretches) == 2
    assert counts["trades_out_of_sync"] == 600 - sum(len(one.trades) for one in stretches)
    pooled = pooled_imbalance(stretches, 10**9, levels=2)
    parts = [pooled_imbalance([one], 10**9, levels=2) for one in stretches]
    gap = len(parts[0])
    assert len(pooled) == len(parts[0]) + 1 + len(parts[1])
    assert np.isnan(pooled.ofi[gap]).all()
    assert np.isnan(pooled.mid_change[gap])
    np.testing.assert_array_equal(pooled.ofi[gap + 1 :], parts[1].ofi)
    np.testing.assert_array_equal(pooled.edges_ns[: gap + 1], parts[0].edges_ns)
    study = study_flow(stretches, horizons_s=(1.0,))
    now, later = study.impact.contemporaneous[1.0], study.impact.predictive[1.0]
    assert (int(now.num_observations), int(now.num_dropped)) == (len(pooled) - 1, 0)
    assert (int(later.num_observations), int(later.num_dropped)) == (len(pooled) - 3, 0)
    flow, change = (np.concatenate([getattr(part, name) for part in parts]) for name in ("ofi", "mid_change"))
    slope = np.polyfit(flow[:, 0], change, 1)[0]
    assert_close(now.coefficients[0], slope, scale=1e3)


def test_one_stretch_gives_the_impact_of_the_library(tmp_path):
    path = write_market(tmp_path / "XYZ_long.txt.gz", messages=1200)
    data = io.read_updates(path, clock="exchange")
    stretches, _ = cut_stretches([books_of(data.only(), 5)], None)
    study = study_flow(stretches, horizons_s=(1.0, 2.0))
    expected = lob.impact_by_horizon(stretches[0].books, (1.0, 2.0))
    for kind in ("contemporaneous", "predictive"):
        for horizon in (1.0, 2.0):
            ours, theirs = getattr(study.impact, kind)[horizon], getattr(expected, kind)[horizon]
            for name in ("r_squared", "coefficients", "t_stat", "num_observations", "num_dropped"):
                assert_close(getattr(ours, name), getattr(theirs, name), scale=100, what=f"{kind} {horizon} {name}")


def test_what_the_command_says(found):
    result, out = found
    one = result["symbols"]["XYZ"]
    assert (one["stretches"], one["levels"]) == (2, 5)
    assert one["quotes"] == {"compared": 580, "different": 0}
    assert one["impact"]["1"]["contemporaneous"]["r_squared"] > one["impact"]["1"]["predictive"]["r_squared"]
    assert one["integrated_out_of_sample"]["1"]["integrated"] > 0.5
    assert one["predictors"]["micro-price"]["next change"]["r_squared"] > 0
    assert one["counts"]["trades_out_of_sync"] > 0
    assert one["signing_accuracy"]["lee_ready"] == 1.0
    costs = one["costs_bps"]
    # Takers trade at the quotes of a book two ticks wide around 100.
    assert costs["effective"] == pytest.approx(2.0, rel=0.05)
    assert costs["quoted"] == pytest.approx(2.0, rel=0.05)
    measures = one["measures"]
    assert measures["realised_volatility_percent"] == pytest.approx(100 * measures["realised_variance"] ** 0.5)
    assert not any("annual" in name for name in measures)
    at = costs["by_horizon"]["1"]
    assert at["effective"] == pytest.approx(at["realised"] + at["impact"], rel=1e-9)
    assert one["measures"]["vpin_buckets"] == 50
    assert result["counts"]["gap"] == 1
    assert any("longest stretch" in note for note in one["notes"])
    assert {Path(file).name for file in result["files"]} >= {"flow.html", "impact-XYZ.parquet", "scatter-XYZ.png"}
    assert all(Path(file).is_file() for file in result["files"])
    page = (out / "flow.html").read_text()
    assert "all equal" in page
    assert "realised volatility over the longest stretch, %" in page
    assert "annual" not in page
    assert "level updates given" in page
    assert page.count("<svg ") == 7
    table = pd.read_parquet(out / "impact-XYZ.parquet")
    assert table.loc[1.0, "contemporaneous_r_squared"] == one["impact"]["1"]["contemporaneous"]["r_squared"]
    trades = pd.read_parquet(out / "trade-costs-XYZ.parquet")
    assert len(trades) == one["trades"]


def test_text_is_short_and_names_what_is_missing(broken):
    result = run(app, ["flow", str(broken), *HORIZONS])
    assert result.exit_code == 0, result.exception
    assert "580 books compared with announced quotes, 0 differ" in result.stdout
    assert "trades_out_of_sync" in result.stdout
    assert "(quoted " in result.stdout


def test_text_lists_the_files_with_commas_and_takes_bare_seconds(whole, tmp_path):
    result = run(app, ["flow", str(whole), "--out", str(tmp_path), "--no-plots", "--every", "1", "--horizons", "1"])
    assert result.exit_code == 0, result.exception
    assert f"{tmp_path / 'impact-XYZ.parquet'}, {tmp_path / 'order-flow-XYZ.parquet'}" in result.stdout


def test_a_mid_that_hardly_moves_has_no_regression(whole):
    books = books_of(io.read_updates(whole, clock="exchange").only(), 5)
    rows = np.full(600, 20)
    rows[300:] = 20 + int(np.flatnonzero(np.diff(np.asarray(lob.mid(books.book))[20:]))[0]) + 1
    still = lob.BookSeries(books.time_ns[:600], books.book[rows], books.symbol, books.tick_size)
    study = study_flow([Stretch(still, None)], horizons_s=(1.0, 2.0))
    assert (study.impact, study.scatter, study.integrated) == (None, None, {})
    assert any("too few moves at 1, 2 s" in note for note in study.notes)


def test_books_older_than_the_moves_of_the_price_are_noted(whole):
    data = io.read_updates(whole, clock="exchange")
    trades = data.trades["XYZ"]
    away = np.asarray(trades.price) + 0.2 * np.asarray(trades.side)
    far = lob.TradeSeries(trades.time_ns, away, trades.size, trades.side, "XYZ")
    stretches, _ = cut_stretches([books_of(data.only(), 5)], far)
    study = study_flow(stretches, horizons_s=(1.0,))
    assert any("books are older than the moves of the price" in note for note in study.notes)


def test_finished_books_without_trades_have_notes():
    one = as_json(str(ROOT / "tests/data/books.jsonl"))["symbols"]["ETHUSDT"]
    assert one["books"] == 48
    assert "impact" not in one
    assert "costs_bps" not in one
    notes = " ".join(one["notes"])
    for words in ("differences of recorded books", "no regression", "no trades", "no micro-price"):
        assert words in notes


def test_unknown_sides_are_signed_and_counted(whole):
    data = io.read_updates(whole, clock="exchange")
    trades = data.trades["XYZ"]
    blind = lob.TradeSeries(trades.time_ns, trades.price, trades.size, np.zeros(len(trades), np.int8), "XYZ")
    stretches, _ = cut_stretches([books_of(data.only(), 5)], blind)
    study = study_flow(stretches, horizons_s=(1.0,))
    assert study.signs is None
    assert study.counts["trades_side_unknown"] == study.trades
    assert any("Lee & Ready" in note for note in study.notes)
    assert flow_numbers(study)["costs_bps"]["effective"] == pytest.approx(2.0, rel=0.05)


def test_stretches_that_are_too_short_are_counted(whole):
    books = books_of(io.read_updates(whole, clock="exchange").only(), 5)
    stretches, counts = cut_stretches([books[:5], books[5:]], None)
    assert (len(stretches), counts["stretches_too_short"]) == (1, 1)
    with pytest.raises(ValueError, match="expected at least one stretch"):
        study_flow([])
    few = study_flow([Stretch(books[:150], None)], horizons_s=(1.0, 30.0))
    assert any("30 s" in note for note in few.notes)
    assert few.microprice is None


@pytest.mark.parametrize(
    "options",
    [["--horizons", "0,1"], ["--horizons", "1e-10"], ["--horizons", "x"], ["--clock", "mine"], ["--every", "often"]],
)
def test_wrong_usage(whole, options):
    assert run(app, ["flow", str(whole), *options]).exit_code == 2


def test_an_interval_longer_than_the_recording_is_an_error_that_says_why(whole):
    result = run(app, ["flow", str(whole), "--every", "1h"])
    assert isinstance(result.exception, ValueError)
    assert "expected a stretch in sync with at least 10 books" in str(result.exception)


def test_without_matplotlib_tables_alone(whole, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    failed = run(app, ["flow", str(whole), "--out", str(tmp_path / "new"), *HORIZONS])
    assert "quantjax[plots]" in str(failed.exception)
    assert not (tmp_path / "new").exists()
    result = as_json(str(whole), "--out", str(tmp_path / "new"), "--no-plots", *HORIZONS)
    assert {Path(file).suffix for file in result["files"]} == {".parquet"}


def test_binance_spot(data):
    result = as_json(str(data / "binance_raw/spot_btcusdt_20240808.gz"), "--horizons", "1,10")
    one = result["symbols"]["BTCUSDT"]
    assert one["quotes"] == {"compared": 3449, "different": 0}
    assert 0.1 < one["impact"]["1"]["contemporaneous"]["r_squared"] < 0.5
    assert one["impact"]["1"]["predictive"]["r_squared"] < 0.1
    assert one["signing_accuracy"]["lee_ready"] > 0.95


def test_lobster_amzn(data):
    path = data / "lobster/AMZN_2012-06-21_34200000_57600000_message_5.csv.gz"
    one = as_json(str(path), "--horizons", "10", "--every", "1s")["symbols"]["AMZN"]
    assert one["impact"]["10"]["contemporaneous"]["intervals"] > 2300
    # 0.31 with a book for every message; once a second the flow in between is not seen.
    assert one["impact"]["10"]["contemporaneous"]["r_squared"] > 0.15
    assert one["impact"]["10"]["predictive"]["r_squared"] < 0.02
    assert one["integrated_out_of_sample"]["10"]["integrated"] > 0.5
    assert one["signing_accuracy"]["lee_ready"] > 0.7
