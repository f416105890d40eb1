"""Study: are true parameters found from random starts? Writes docs/heston_calibration.md and .json."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest

from quantjax.pricing import CalibrationReason, Lewis, calibrate
from tests.conftest import ROOT
from tests.pricing.calibration.surfaces import BOUNDS, MATURITIES, draw_models, exact_quotes, parameter_errors

CASES, BATCH = 1_000, 8
NODES = (32, 48, 64)
QUANTILES = (0.5, 0.9, 0.99, 1.0)

HEADER = """# Heston calibration: are the true parameters found?

{cases:,} models drawn evenly from {bounds};
of each, the implied vols of {quotes} options without noise ({maturities} maturities from 1 month to {longest:g} years,
15 strikes within two standard deviations). `pricing.calibrate` with one start, drawn from the same ranges without
regard to the model, and `Lewis(nodes=...)`, 32 being the default; the quotes come from 96 nodes. The error of a case is
the largest of its parameters' relative errors (of rho, the absolute one); it counts as recovered below {recovered:g}.
Made by `make validate`.

| nodes | recovered | converged | error: median | 99 % | largest | vol points off: 99 % | largest | steps | most |
|---|---|---|---|---|---|---|---|---|---|
"""
FOOTER = """
What few nodes leave is the error of their prices far in the wings of models with a Feller ratio near 0 and a strong
skew, at short maturities ("vol points off" is the root mean square over a surface).
"""
RECOVERED = 1e-6


@pytest.mark.study
def test_true_parameters_are_recovered():
    truth, starts = draw_models(jax.random.key(1), CASES), draw_models(jax.random.key(2), CASES)
    quotes = jax.jit(jax.vmap(exact_quotes))(truth)
    assert int(quotes.num_quotes.min()) == 15 * len(MATURITIES)
    table = {str(nodes): _measure(truth, starts, quotes, nodes) for nodes in NODES}
    bounds = ", ".join(f"{name} {low:g} ... {high:g}" for name, (low, high) in BOUNDS.items())
    header = HEADER.format(
        cases=CASES,
        bounds=bounds,
        quotes=15 * len(MATURITIES),
        maturities=len(MATURITIES),
        longest=MATURITIES[-1],
        recovered=RECOVERED,
    )
    (ROOT / "docs/heston_calibration.md").write_text(header + "".join(map(_row, table.items())) + FOOTER)
    (ROOT / "docs/heston_calibration.json").write_text(json.dumps(table, indent=1) + "\n")
    assert all(row["recovered"] == CASES for row in table.values())
    assert table["64"]["converged"] == CASES


def _measure(truth, starts, quotes, nodes: int) -> dict:
    def one(case):
        return calibrate(*case, engine=Lewis(nodes))

    # A batch goes on until its slowest member has converged: small ones waste less.
    result = jax.jit(lambda cases: jax.lax.map(one, cases, batch_size=BATCH))((starts, quotes))
    error, steps = parameter_errors(result.model, truth), np.asarray(result.num_steps)
    reasons = np.bincount(np.asarray(result.reason), minlength=len(CalibrationReason))
    return {
        "cases": CASES,
        "recovered": int((error < RECOVERED).sum()),
        "converged": int(np.asarray(result.converged).sum()),
        "reasons": {reason.name: int(reasons[reason]) for reason in CalibrationReason},
        "error": {str(q): float(np.quantile(error, q)) for q in QUANTILES},
        "rmse_vol_points": {str(q): float(np.quantile(np.asarray(result.rmse), q)) for q in QUANTILES},
        "steps": {str(q): float(np.quantile(steps, q)) for q in QUANTILES},
    }


def _row(item: tuple[str, dict]) -> str:
    nodes, row = item
    error, off, steps = row["error"], row["rmse_vol_points"], row["steps"]
    return (
        f"| {nodes} | {row['recovered']} | {row['converged']} | {error['0.5']:.1e} | {error['0.99']:.1e} "
        f"| {error['1.0']:.1e} | {off['0.99']:.1e} | {off['1.0']:.1e} | {steps['0.5']:.0f} | {steps['1.0']:.0f} |\n"
    )
