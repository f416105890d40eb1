"""Surfaces of quotes without noise from models drawn at random."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from quantjax.pricing import Heston, Lewis, OptionQuotes, price

__all__ = ["BOUNDS", "MATURITIES", "draw_models", "exact_quotes", "parameter_errors"]

# From which parameters are drawn, evenly.
BOUNDS = {"v0": (0.01, 0.2), "kappa": (0.5, 5.0), "theta": (0.01, 0.2), "xi": (0.1, 1.5), "rho": (-0.95, 0.3)}
MATURITIES = (1 / 12, 1 / 6, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


def draw_models(key: jax.Array, count: int) -> Heston:
    """A batch of `count` models."""
    lower, upper = (np.array(bounds)[:, None] for bounds in zip(*BOUNDS.values(), strict=True))
    return Heston(*(lower + (upper - lower) * jax.random.uniform(key, (len(BOUNDS), count))))


def exact_quotes(model: Heston, maturities=MATURITIES, num_strikes: int = 15) -> OptionQuotes:
    """Vols to rounding, at strikes within two standard deviations."""
    maturities = jnp.asarray(maturities)
    deviation = jnp.sqrt(model.total_variance(maturities))
    strikes = 100 * jnp.exp(jnp.linspace(-2, 2, num_strikes) * deviation[:, None])
    call = strikes >= 100
    prices = price(model, strikes, maturities, forward=100.0, call=call, engine=Lewis(nodes=96))
    return OptionQuotes.from_prices(strikes, maturities, prices, forward=100.0, call=call)


def parameter_errors(found: Heston, truth: Heston) -> np.ndarray:
    """The largest error of a model's parameters, relative, of rho absolute, `[...]`."""
    errors = [
        np.abs(np.asarray(getattr(found, name) - getattr(truth, name)) / (1 if name == "rho" else getattr(truth, name)))
        for name in BOUNDS
    ]
    return np.max(errors, axis=0)
