from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from quantjax.numerics import vector_log, vector_log1p


def test_within_one_unit_in_the_last_place():
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [
            np.exp(rng.uniform(-700, 700, 100_000)),
            rng.uniform(0.5, 2.0, 100_000),
            1 + rng.normal(size=50_000) * 1e-9,
            [
                1.0,
                2.0,
                0.5,
                np.sqrt(0.5),
                np.nextafter(1, 0),
                np.nextafter(1, 2),
                np.finfo(float).tiny,
                np.finfo(float).max,
            ],
        ]
    )
    exact = np.log(x.astype(np.longdouble))
    error = np.abs(np.asarray(vector_log(x)) - exact) / np.spacing(np.abs(exact).astype(float))
    assert error.max() < 1.0
    assert vector_log(jnp.float64(1.0)) == 0.0


def test_nan_stays_and_float32_works():
    assert np.isnan(vector_log(jnp.float64(math.nan)))
    single = vector_log(jnp.float32(10.0))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, math.log(10), rtol=1e-6)


def test_derivatives_and_transforms():
    x = jnp.float64(3.7)
    derivative = vector_log
    for expected in (1 / 3.7, -1 / 3.7**2, 2 / 3.7**3):
        derivative = jax.grad(derivative)
        np.testing.assert_allclose(derivative(x), expected, rtol=1e-14)
    values = jnp.linspace(0.1, 20, 40)
    np.testing.assert_array_equal(jax.vmap(vector_log)(values), jax.jit(vector_log)(values))


def test_log1p_keeps_the_digits_of_what_is_small():
    rng = np.random.default_rng(5)
    size = 10 ** rng.uniform(-300, 5, 100_000)
    x = np.concatenate([size, -size[size < 0.999], rng.uniform(-0.999, 3, 100_000)])
    exact = np.log1p(x.astype(np.longdouble))
    error = np.abs(np.asarray(jax.jit(vector_log1p)(x)) - exact) / np.spacing(np.abs(exact).astype(float))
    assert error.max() < 3
    np.testing.assert_allclose(jax.grad(jax.grad(vector_log1p))(jnp.float64(0.5)), -1 / 1.5**2, rtol=1e-14)
    assert vector_log1p(jnp.float32(0.5)).dtype == jnp.float32
