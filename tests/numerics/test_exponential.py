from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from quantjax.numerics import vector_expm1


def test_within_two_units_in_the_last_place():
    rng = np.random.default_rng(2)
    size = 10 ** rng.uniform(-300, 2.8, 100_000)
    x = np.concatenate([size, -size, rng.uniform(-45, 45, 200_000), rng.uniform(-1.5, 1.5, 200_000), [0.0, -0.0]])
    exact = np.expm1(x.astype(np.longdouble))
    found = np.asarray(jax.jit(vector_expm1)(x))
    unit = np.spacing(np.abs(exact).astype(float))
    assert (np.abs(found - exact) / unit).max() < 2
    assert vector_expm1(jnp.float64(-1e300)) == -1


def test_nan_stays_and_float32_works():
    assert np.isnan(vector_expm1(jnp.float64(math.nan)))
    single = vector_expm1(jnp.float32(1e-4))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, math.expm1(1e-4), rtol=1e-6)


def test_derivatives_and_transforms():
    x = jnp.float64(0.7)
    derivative = vector_expm1
    for _ in range(3):
        derivative = jax.grad(derivative)
        np.testing.assert_allclose(derivative(x), math.exp(0.7), rtol=1e-14)
    values = jnp.linspace(-3, 20, 40)
    np.testing.assert_array_equal(jax.vmap(vector_expm1)(values), jax.jit(vector_expm1)(values))
