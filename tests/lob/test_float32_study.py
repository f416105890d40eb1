"""Study: how many digits each metric keeps in float32. Writes docs/float32.md and docs/float32.json."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest

from benchmarks.inputs import TICK_SIZE, random_books
from quantjax import lob
from quantjax.lob.measures import columns
from tests.conftest import ROOT

HEADER = """# Accuracy of the metrics in float32

Relative error of `lob.measure` on float32 arrays against float64 arithmetic on the same (float32) books: 20,000 books
x 20 levels around a price of 100 with a tick of 0.01, a third of them thin, at the median and the 99th percentile of
the books. Where float64 gives 0 the error is absolute. The rounding unit is 6e-08. Made by `make validate`.

Mind the tick: a price of 60,000 with a tick of 0.01 needs 23 bits, all that float32 has; take float64 there, or
subtract a reference price first.

| metric | median | 99 % |
|---|---|---|
"""


@pytest.mark.study
def test_float32_accuracy_by_metric():
    single = random_books(20_000, 20, seed=1, dtype=np.float32)
    double = jax.tree.map(lambda array: array.astype(np.float64), single)
    ours, exact = (dict(columns(lob.measure(book, TICK_SIZE))) for book in (single, double))
    table = {}
    for name, value in exact.items():
        value = np.asarray(value)
        if value.dtype.kind != "f":
            np.testing.assert_array_equal(np.asarray(ours[name]), value)
            continue
        scale = np.where(value == 0, 1.0, np.abs(value))
        error = np.abs(np.asarray(ours[name], np.float64) - value) / scale
        error = error[np.isfinite(error)]
        table[name] = {
            "median": float(np.median(error)) if len(error) else None,
            "p99": float(np.quantile(error, 0.99)) if len(error) else None,
        }
    rows = "".join(
        f"| `{name}` | {'-' if row['median'] is None else format(row['median'], '.1e')} | "
        f"{'-' if row['p99'] is None else format(row['p99'], '.1e')} |\n"
        for name, row in table.items()
    )
    (ROOT / "docs/float32.md").write_text(HEADER + rows)
    (ROOT / "docs/float32.json").write_text(json.dumps(table, indent=1) + "\n")
    # Prices and ratios of sizes keep all their digits.
    for name in ("mid", "microprice", "queue_imbalance", "bid_vwap_20", "bid_entropy", "bid_concentration"):
        assert table[name]["median"] < 1e-6, name
