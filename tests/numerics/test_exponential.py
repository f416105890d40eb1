from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from quantjax.numerics import vector_exp, vector_expm1


def test_exp_is_within_one_unit_in_the_last_place():
    x = np.random.default_rng(2).uniform(-707, 709, 300_000)
    exact = np.exp(x.astype(np.longdouble))
    for run in (vector_exp, jax.jit(vector_exp)):
        assert (np.abs(np.asarray(run(x)) - exact) / np.spacing(exact.astype(float))).max() < 1
    assert vector_exp(jnp.float64(0.0)) == 1
    assert 0 < vector_exp(jnp.float64(-1e300)) < 1e-307


def test_expm1_is_within_two_units_in_the_last_place():
    rng = np.random.default_rng(2)
    size = 10 ** rng.uniform(-300, 2.8, 100_000)
    x = np.concatenate([size, -size, rng.uniform(-45, 45, 200_000), rng.uniform(-1.5, 1.5, 200_000), [0.0, -0.0]])
    exact = np.expm1(x.astype(np.longdouble))
    found = np.asarray(jax.jit(vector_expm1)(x))
    unit = np.spacing(np.abs(exact).astype(float))
    assert (np.abs(found - exact) / unit).max() < 2
    assert vector_expm1(jnp.float64(-1e300)) == -1


def test_nan_stays_and_float32_works():
    for ours, exact in ((vector_exp, math.exp), (vector_expm1, math.expm1)):
        assert np.isnan(ours(jnp.float64(math.nan)))
        single = ours(jnp.float32(1e-4))
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, exact(1e-4), rtol=1e-6)


def test_derivatives_and_transforms():
    values = jnp.linspace(-3, 20, 40)
    for function in (vector_exp, vector_expm1):
        derivative = function
        for _ in range(3):
            derivative = jax.grad(derivative)
            np.testing.assert_allclose(derivative(jnp.float64(0.7)), math.exp(0.7), rtol=1e-14)
        np.testing.assert_array_equal(jax.vmap(function)(values), jax.jit(function)(values))
