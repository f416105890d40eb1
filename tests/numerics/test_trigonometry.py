"""Sine, cosine and angle against numpy, over all sizes of argument."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.numerics.trigonometry import sin_cos_near_zero, vector_atan2, vector_sin_cos


def ulps(actual, expected) -> float:
    return float(np.max(np.abs(np.asarray(actual) - expected) / np.spacing(np.abs(expected))))


def test_sin_cos_to_two_units_in_the_last_place():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, 500_000) * 10 ** rng.uniform(-6, 6, 500_000)
    sine, cosine = jax.jit(vector_sin_cos)(x)
    assert ulps(sine, np.sin(x)) <= 2
    assert ulps(cosine, np.cos(x)) <= 2
    sine, cosine = vector_sin_cos(jnp.array([0.0, jnp.inf, jnp.nan]))
    assert (float(sine[0]), float(cosine[0])) == (0.0, 1.0)
    assert np.isnan(sine[1:]).all()
    assert np.isnan(cosine[1:]).all()


def test_atan2_to_two_units_in_the_last_place_in_every_quadrant():
    rng = np.random.default_rng(2)
    y = rng.normal(size=500_000) * 10 ** rng.uniform(-8, 8, 500_000)
    x = rng.normal(size=500_000)
    assert ulps(jax.jit(vector_atan2)(y, x), np.arctan2(y, x)) <= 2
    axes_y, axes_x = np.array([0.0, 1.0, 0.0, -1.0, 0.0, 1.0]), np.array([1.0, 0.0, -1.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(
        vector_atan2(jnp.array(axes_y), jnp.array(axes_x)), np.arctan2(axes_y, axes_x), rtol=3e-16
    )


def test_derivatives_of_any_order():
    assert jax.grad(jax.grad(lambda x: vector_sin_cos(x)[0]))(0.7) == pytest.approx(-np.sin(0.7), rel=1e-15)
    assert jax.grad(vector_atan2)(0.3, -0.4) == pytest.approx(-0.4 / 0.25, rel=1e-15)
    assert jax.grad(jax.grad(vector_atan2, 1), 1)(0.3, 0.4) == pytest.approx(2 * 0.3 * 0.4 / 0.25**2, rel=1e-14)


def test_float32_takes_jax_s_own():
    sine, cosine = vector_sin_cos(jnp.array([1.0], jnp.float32))
    assert sine.dtype == cosine.dtype == jnp.float32
    assert vector_atan2(sine, cosine).dtype == jnp.float32


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sin_cos_near_zero_takes_the_terms_that_the_precision_needs(dtype):
    r = np.linspace(-np.pi / 4, np.pi / 4, 10_001).astype(dtype)
    sine, cosine = jax.jit(sin_cos_near_zero)(r)
    assert sine.dtype == cosine.dtype == dtype
    assert ulps(sine, np.sin(r)) <= 2
    assert ulps(cosine, np.cos(r)) <= 2
