"""The front door: formats are found by looking, and what is no chain or no option is refused in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quantjax import io
from tests.conftest import ROOT
from tests.io.chains.files import DERIBIT, LEAN, Market, cboe, cboe_rows, deribit_row
from tests.io.files import write


def test_formats_are_found(tmp_path: Path):
    assert io.find_chain_format(cboe(tmp_path / "a.csv.gz", cboe_rows(Market()))) == "cboe"
    assert io.find_chain_format(cboe(tmp_path / "b.csv", cboe_rows(Market()), style=2022)) == "cboe"
    assert io.find_chain_format(write(tmp_path / "c.csv", f"source_file,{DERIBIT}\n")) == "deribit"
    assert io.find_chain_format(write(tmp_path / "d.csv.gz", LEAN)) == "lean"
    for name in io.CHAIN_FORMATS:
        with pytest.raises(io.DataError, match="expected"):
            io.load_chain(write(tmp_path / "e.csv", "a,b,c\n1,2,3\n"), format=name)


def test_what_is_no_chain(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="expected a file of option quotes"):
        io.load_chain(tmp_path / "nowhere.csv")
    with pytest.raises(FileNotFoundError):
        io.load_chain(tmp_path)
    with pytest.raises(io.DataError, match="empty"):
        io.load_chain(write(tmp_path / "empty.csv.gz", ""))
    universe = "#expiry,strike,right,open,high,low,close,volume,open_interest,implied_volatility\n"
    with pytest.raises(io.DataError, match=r"known format with bids and asks[\s\S]*cboe:"):
        io.load_chain(write(tmp_path / "universe.csv", universe))
    with pytest.raises(io.DataError, match="got none"):
        io.load_chain(write(tmp_path / "no_rows.csv", DERIBIT + "\n"))
    for content in (b"\x00\xff\xfe" * 100, b"\x1f\x8b\x08garbage that is no gzip data at all"):
        with pytest.raises(io.DataError):
            io.load_chain(write(tmp_path / "garbage.csv", content))


@pytest.mark.parametrize("seed", range(12))
def test_damage_is_told_and_nothing_else_happens(tmp_path: Path, seed: int):
    """Bytes cut off, changed, repeated: a chain whose account adds up, or a DataError."""
    rng = np.random.default_rng(seed)
    kind = ("cboe", "deribit")[seed % 2]
    if kind == "cboe":
        content = bytearray(cboe(tmp_path / "whole.csv", cboe_rows(Market())).read_bytes())
    else:
        rows = [deribit_row(f"BTC-25SEP26-{k}-{r}", "0.1", "0.11", "50.1", "60.2") for k in range(9, 40) for r in "CP"]
        content = bytearray("\n".join([DERIBIT, *rows]).encode())
    for at in rng.integers(0, len(content), 20):
        content[at] = rng.choice(list(b'0159,.-\n\r"x\xff\x00'))
    cut = int(rng.integers(len(content) // 2, len(content)))
    path = write(tmp_path / "damaged_20260422.csv", bytes(content[:cut]))
    try:
        chain = io.load_chain(path)
    except io.DataError:
        return
    assert sum(chain.report.values()) == len(chain) == chain.counts["rows"]
    malformed = chain.counts.get("malformed_lines", 0)
    assert len(chain) == (2 if kind == "cboe" else 1) * (chain.counts["rows_read"] - malformed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "bloomberg"}, "cboe, deribit, lean"),
        ({"spot": -1.0}, "spot"),
        ({"rate": 3.0}, "decimal per year"),
        ({"as_of": "yesterday evening"}, "as_of"),
        ({"as_of": "NaT"}, "as_of"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        io.load_chain(cboe(tmp_path / "spx.csv", cboe_rows(Market())), **options)


@pytest.mark.parametrize("rule", ["max_relative_spread", "max_age_s", "min_pairs", "max_rate_error"])
def test_rules_are_checked(rule: str):
    with pytest.raises((ValueError, TypeError), match=rule):
        io.ChainRules(**{rule: -1})


def test_without_x64(tmp_path: Path):
    path = cboe(tmp_path / "spx.csv", cboe_rows(Market()))
    code = (
        f"from quantjax import io\ntry: io.load_chain({str(path)!r})\n"
        "except ValueError as error: assert 'jax_enable_x64' in str(error), error\nelse: raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env={"JAX_PLATFORMS": "cpu", "PATH": ""})
