"""Every example runs as it stands, on a recording that the mock exchange made, and draws its figures."""

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


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """What an example makes for itself where it is given nothing."""
    folder = tmp_path_factory.mktemp("examples") / "recording"
    made = runpy.run_path(str(EXAMPLES / "recording.py"))
    made["record_mock"](folder, "BTCUSDT", 80.0)
    return folder


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"recording", *FIGURES}


@pytest.mark.parametrize("name", FIGURES)
def test_example(name, recording, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [name, str(recording)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert "BTCUSDT" in capsys.readouterr().out
    for figure in FIGURES[name]:
        assert (tmp_path / f"out/examples/{figure}.png").stat().st_size > 5_000
