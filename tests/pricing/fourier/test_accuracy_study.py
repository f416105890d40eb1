"""Study: the errors of Lewis's engine by nodes, over calibrated and far wilder models. Writes docs/heston_fourier.*"""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.pricing import Heston, Lewis
from tests.conftest import ROOT

MODELS, NODES, EXACT = 1500, (24, 32, 48, 64), 1200
DEVIATIONS = np.linspace(-5, 5, 11)
# v0, kappa, theta, xi, rho, maturity: drawn evenly on a logarithmic scale, rho evenly
RANGES = {
    "as calibrated": ((0.005, 0.2, 0.005, 0.1, -0.98, 2 / 365), (0.3, 10.0, 0.3, 2.5, 0.3, 10.0)),
    "far wilder": ((1e-3, 0.01, 1e-3, 0.01, -0.999, 1 / 365), (3.0, 50.0, 3.0, 10.0, 0.999, 30.0)),
}
HEADER = f"""# Accuracy of Heston prices by Fourier

Largest error of `pricing.Lewis(nodes=...)` over 11 strikes within five standard deviations, in units of the forward,
for {MODELS:,} models of each kind. *As calibrated*: v0 and theta 0.005 ... 0.3, kappa 0.2 ... 10, xi 0.1 ... 2.5,
rho -0.98 ... 0.3, two days to ten years. *Far wilder*: v0 and theta 0.001 ... 3, kappa 0.01 ... 50, xi 0.01 ... 10,
|rho| up to 0.999, a day to 30 years. *Shared*: one pair of contours for all strikes; *own*: a contour for each. The
prices compared with have {EXACT:,} nodes on a contour of their own; those of as many on shared ones are in the table.
Made by `make validate`.

| models | contours | nodes | median | 90 % | 99 % | 99.9 % | largest |
|---|---|---|---|---|---|---|---|
"""


@pytest.mark.study
def test_error_by_nodes():
    rows, table = "", {}
    for kind, (low, high) in RANGES.items():
        models, maturities, log_moneyness = _draw(low, high)

        def errors(nodes, shared, expected, inputs=(models, maturities, log_moneyness)):
            return np.abs(_prices(nodes, shared, *inputs) - expected).max(1)

        expected = _prices(EXACT, False, models, maturities, log_moneyness)
        for shared, name in ((True, "shared"), (False, "own")):
            for nodes in NODES if not shared else (*NODES, EXACT):
                quantiles = np.quantile(errors(nodes, shared, expected), [0.5, 0.9, 0.99, 0.999, 1])
                table[f"{kind}, {name}, {nodes}"] = dict(
                    zip(("median", "p90", "p99", "p99.9", "max"), map(float, quantiles), strict=True)
                )
                rows += f"| {kind} | {name} | {nodes:,} | " + " | ".join(f"{q:.0e}" for q in quantiles) + " |\n"
    (ROOT / "docs/heston_fourier.json").write_text(json.dumps(table, indent=1) + "\n")
    (ROOT / "docs/heston_fourier.md").write_text(HEADER + rows)
    assert table["as calibrated, shared, 48"]["max"] < 1e-10
    assert table["as calibrated, own, 48"]["max"] < 1e-10
    assert max(table[f"far wilder, {name}, 64"]["max"] for name in ("shared", "own")) < 1e-9


def _draw(low, high) -> tuple[Heston, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    *parameters, maturities = (
        rng.uniform(a, b, MODELS) if a < 0 else np.exp(rng.uniform(np.log(a), np.log(b), MODELS))
        for a, b in zip(low, high, strict=True)
    )
    models = Heston(*map(jnp.asarray, parameters))
    variance = jax.vmap(lambda model, t: model.total_variance(t))(models, maturities)
    return models, maturities, DEVIATIONS * np.sqrt(np.asarray(variance))[:, None]


def _prices(nodes: int, shared: bool, *inputs) -> np.ndarray:
    def one(item):
        model, t, k = item
        if shared:
            return Lewis(nodes).normalised_price(model, k[None], t[None], k[None] >= 0)[0]
        return Lewis(nodes).normalised_price(model, k[:, None], jnp.full(len(DEVIATIONS), t), k[:, None] >= 0)[:, 0]

    return np.asarray(jax.jit(lambda *items: jax.lax.map(one, items, batch_size=20))(*inputs))
