"""Every example runs as it stands, on a recording of the mock exchange or a chain of its own, and draws its figures."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

EXAMPLES = ROOT / "examples"
FIGURES = {
    "reconstruct_books": ("reconstructed_books",),
    "order_flow": ("order_flow_impact", "microprice", "fair_prices"),
    "trade_costs": ("trade_costs", "vpin"),
    "bars": ("bars_time", "bars_volume"),
}
CHAIN_FIGURES = {
    "option_chain": ("option_chain",),
    "calibrate_heston": ("heston_smiles", "heston_errors", "heston_residuals"),
}

OWN_FIGURES = {"monte_carlo": ("Heston, 4096 paths", ("monte_carlo",))}  # by no data: what is printed, and drawn


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """What an example makes for itself where it is given nothing."""
    folder = tmp_path_factory.mktemp("examples") / "recording"
    made = runpy.run_path(str(EXAMPLES / "recording.py"))
    made["record_mock"](folder, "BTCUSDT", 80.0)
    return folder


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "recording",
        "chain",
        *FIGURES,
        *CHAIN_FIGURES,
        *OWN_FIGURES,
    }


@pytest.mark.parametrize("name", FIGURES)
def test_example(name, recording, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [name, str(recording)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert "BTCUSDT" in capsys.readouterr().out
    for figure in FIGURES[name]:
        assert (tmp_path / f"out/examples/{figure}.png").stat().st_size > 5_000


@pytest.mark.parametrize("name", CHAIN_FIGURES)
def test_example_of_chains(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [name])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert "SPX as of 2019-04-09 15:09" in capsys.readouterr().out
    for figure in CHAIN_FIGURES[name]:
        assert (tmp_path / f"out/examples/{figure}.png").stat().st_size > 5_000


@pytest.mark.parametrize("name", OWN_FIGURES)
def test_example_without_data(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, "4096"])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    printed, figures = OWN_FIGURES[name]
    assert printed in capsys.readouterr().out
    for figure in figures:
        assert (tmp_path / f"out/examples/{figure}.png").stat().st_size > 5_000
