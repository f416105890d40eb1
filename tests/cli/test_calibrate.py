"""`quantjax calibrate`: the parameters that made a chain are found, files are written, and errors are one line."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from quantjax import io
from quantjax.cli import app
from tests.conftest import ROOT

run = CliRunner().invoke


@pytest.fixture(scope="module")
def made() -> dict:
    return runpy.run_path(str(ROOT / "examples/chain.py"))


@pytest.fixture(scope="module")
def chain(made, tmp_path_factory) -> Path:
    return made["write_chain"](tmp_path_factory.mktemp("chain") / "chain.csv")


def test_finds_the_parameters_that_made_the_chain(chain, made, tmp_path):
    arguments = ["calibrate", "heston", str(chain), "--starts", "1"]
    result = run(app, [*arguments, "--json", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, (result.output, result.exception)
    found = json.loads(result.stdout)
    assert found["converged"]
    assert found["quotes"] == 52
    for name, one in found["parameters"].items():
        assert one["value"] == pytest.approx(float(getattr(made["TRUTH"], name)), rel=0.01)
        assert 0 < one["std_error"] < 0.1 * abs(one["value"])  # what the spreads of the quotes leave open
    assert found["rmse_vol_points"] < 0.02
    assert found["engine_error_vol_points"] < 1e-4
    assert found["quotes_without_model_vol"] == sum(row["num_without_vol"] for row in found["by_maturity"]) == 0
    assert [row["num_quotes"] for row in found["by_maturity"]] == [13] * 4
    assert [row["settlement"] for row in found["by_maturity"]] == ["PM", "AM", "PM", "AM"]
    assert all(row["rmse"] < 0.05 and row["svi_rmse"] < 0.1 for row in found["by_maturity"])
    assert sum(found["chain_report"].values()) == found["counts"]["rows"] == 104
    assert all(Path(file).stat().st_size > 100 for file in found["files"])
    model = io.read_model(tmp_path / "out/model.json")
    assert float(model.kappa) == found["parameters"]["kappa"]["value"]
    errors = pd.read_parquet(tmp_path / "out/errors.parquet")
    assert len(errors) == 52
    assert {"model_vol", "error"} <= set(errors)
    text = run(app, arguments)  # compiled already
    assert "2019-06-21 AM" in text.stdout
    assert "vol points at most" in text.stdout
    assert "--out DIR" in text.stderr


def test_usage_and_errors(chain, tmp_path):
    assert run(app, ["calibrate", "bates", str(chain)]).exit_code == 2
    nowhere = run(app, ["calibrate", "heston", str(tmp_path / "nowhere.csv")])
    assert (nowhere.exit_code, type(nowhere.exception)) == (1, FileNotFoundError)
    none = run(app, ["calibrate", "heston", str(chain), "--min-days", "900"])
    assert none.exit_code == 1
    assert "expected quotes that the selection keeps" in str(none.exception)
