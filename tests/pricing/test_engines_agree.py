"""One grid of models, maturities and strikes through every engine."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from quantjax import pricing

STRIKES, MATURITIES = np.array([70.0, 85.0, 95.0, 100.0, 105.0, 115.0, 135.0]), np.array([0.25, 1.0, 2.0])
FORWARD = pricing.forward_curve(100.0, 0.03, 0.01, MATURITIES)
MODELS = {
    "equity index": (0.04, 1.5, 0.05, 0.6, -0.7),
    "Feller ratio 0.08": (0.04, 0.5, 0.04, 0.7, -0.9),
    "no correlation": (0.09, 3.0, 0.06, 0.4, 0.0),
    "positive correlation": (0.02, 2.0, 0.04, 0.3, 0.5),
}
BIAS = 1e-4  # of the forward: of QE-M at 64 steps a year, docs/heston_bias.md


@pytest.mark.parametrize("name", MODELS)
def test_lewis_cos_and_monte_carlo_agree(name):
    model = pricing.Heston(*MODELS[name], scheme=pricing.QuadraticExponential(steps_per_year=64))
    calls = STRIKES >= 100
    surface = {"forward": FORWARD, "call": calls}
    lewis = np.asarray(pricing.price(model, STRIKES, MATURITIES, **surface))
    cos = pricing.Cos(terms=4096)
    bound = np.asarray(pricing.price_error(model, STRIKES, MATURITIES, **surface, engine=cos))
    assert bound.max() < 1e-6
    assert (np.abs(pricing.price(model, STRIKES, MATURITIES, **surface, engine=cos) - lewis) <= bound + 1e-9).all()

    payoffs = [pricing.European(STRIKES, calls, index) for index in range(len(MATURITIES))]
    engine = pricing.MonteCarlo(1 << 17, control_variates=(pricing.SpotControl(),))
    found = pricing.simulate_price(
        model, payoffs, MATURITIES, spot=100.0, forward=FORWARD, engine=engine, key=jax.random.key(5)
    )
    price, std_error = np.stack(found.price), np.stack(found.std_error)
    assert std_error.max() < 0.1
    assert (np.abs(price - lewis) < 4 * std_error + BIAS * 100).all()
