"""`quantjax price`: Black and Heston, single prices and surfaces, volatilities of prices, and usage errors."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from quantjax import io, pricing
from quantjax.cli import app

run = CliRunner().invoke
HESTON = ("--v0", "0.04", "--kappa", "1.5", "--theta", "0.05", "--xi", "0.6", "--rho", "-0.7")


def as_json(*arguments: str) -> dict:
    result = run(app, ["price", *arguments, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def test_black_there_and_back():
    found = as_json("black", "--vol", "0.2", "--forward", "100", "--strikes", "100", "--maturities", "1")
    price = found["prices"]["1"]["100"]
    assert price == pytest.approx(100 * math.erf(0.1 / math.sqrt(2)), rel=1e-14)
    back = as_json("black", "--price", f"{price!r}", "--forward", "100", "--strikes", "100", "--maturities", "1")
    assert back["implied_vols"]["1"]["100"] == pytest.approx(0.2, rel=1e-14)
    put = as_json(
        "black", "--vol", "0.2", "--spot", "100", "--rate", "0.03", "--strikes", "90", "--maturities", "2", "--put"
    )
    forward = 100 * math.exp(0.06)
    assert put["forward"]["2"] == pytest.approx(forward)
    expected = pricing.black_price(forward, 90.0, 2.0, 0.2, math.exp(-0.06), False)
    assert put["prices"]["2"]["90"] == pytest.approx(float(expected), rel=1e-13)
    beyond = as_json("black", "--price", "120", "--forward", "100", "--strikes", "100", "--maturities", "1")
    assert beyond["implied_vols"]["1"]["100"] is None


def test_json_has_null_where_there_is_no_finite_number():
    def refuse(constant: str):
        raise AssertionError(f"{constant} is no JSON")

    # At its bound a call's vol is infinite, and beyond it there is none.
    where = ("--price", "100,120,nan", "--forward", "100", "--strikes", "90,100,110", "--maturities", "1")
    result = run(app, ["price", "black", *where, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout, parse_constant=refuse)
    assert list(found["implied_vols"]["1"].values()) == [None] * 3
    assert found["prices"]["1"] == {"90": 100.0, "100": 120.0, "110": None}
    assert "inf" in run(app, ["price", "black", *where]).stdout


def test_heston_surface_and_model_file(tmp_path: Path):
    where = ("--spot", "100", "--rate", "0.02", "--strikes", "90,100", "--maturities", "0.5,1")
    found = as_json("heston", *HESTON, *where)
    model = pricing.Heston(0.04, 1.5, 0.05, 0.6, -0.7)
    times = np.array([0.5, 1.0])
    expected = pricing.price(
        model, np.array([90.0, 100.0]), times, forward=100 * np.exp(0.02 * times), discount=np.exp(-0.02 * times)
    )
    np.testing.assert_allclose([[row["90"], row["100"]] for row in found["prices"].values()], expected, rtol=1e-12)
    file = io.write_model(tmp_path / "model.json", model)
    assert as_json("heston", "--model", str(file), *where) == found
    text = run(app, ["price", "heston", "--model", str(file), *where])
    assert "implied_vols:" in text.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bates", "--forward", "100"], "black, heston"),
        (["black", "--vol", "0.2"], "--spot or --forward"),
        (["black", "--forward", "100"], "--vol (for prices) or --price"),
        (["black", "--forward", "100", "--price", "1,2"], "expected a price for each of 1 strikes, got 2"),
        (["heston", "--forward", "100", "--v0", "0.04"], "--kappa, --theta, --xi, --rho missing"),
        (["black", "--forward", "100", "--vol", "x"], "Invalid value for '--vol'"),
        (["black", "--forward", "100", "--vol", "-0.2"], "--vol above 0"),
        (["black", "--forward", "0", "--vol", "0.2"], "forward above 0"),
        (["black", "--forward", "100", "--vol", "inf"], "--vol above 0, got inf"),
        (["black", "--spot", "100", "--vol", "0.2", "--rate", "nan"], "--rate as a finite number, got nan"),
        (["heston", "--forward", "100", "--v0", "nan"], "--v0 as a finite number, got nan"),
        (["black", "--forward", "100", "--vol", "0.2", "--dividend", "0.05"], "--dividend with --spot"),
        (["black", "--forward", "100", "--price", "-1"], "prices of 0 or more, got -1"),
        (["black", "--forward", "100", "--vol", "0.2", "--xi", "1"], "no parameters of Heston for black, got --xi"),
        (["black", "--forward", "100", "--vol", "0.2", "--model", "x"], "for black, got --model"),
        (["heston", *HESTON, "--forward", "100", "--vol", "0.2"], "--vol and --price with black only"),
        (["heston", "--xi", "1", "--forward", "100", "--model", "x"], "--model FILE or parameters, got both: --xi"),
        (["black", "--forward", "100", "--vol", "0.2", "--strikes", "90,90"], "each of the strikes once"),
    ],
)
def test_usage(arguments: list[str], message: str):
    result = run(app, ["price", "--strikes", "100", "--maturities", "1", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert message in result.stderr


def test_values_out_of_their_domain_are_errors(tmp_path: Path):
    where = ["--forward", "100", "--strikes", "100", "--maturities", "1"]
    for arguments in (
        ["price", "heston", *HESTON[:-1], "-1.5", *where],
        ["price", "heston", "--model", str(tmp_path / "nowhere.json"), *where],
    ):
        result = run(app, arguments)
        assert result.exit_code == 1
        assert isinstance(result.exception, ValueError | FileNotFoundError)
