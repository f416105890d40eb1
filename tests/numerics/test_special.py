from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mp, mpf

from quantjax.numerics.special import erfcx, mills_and_difference, mills_ratio, mills_slope, normal_cdf, normal_pdf
from tests.reference import black as reference

RNG = np.random.default_rng(7)
EPS = {np.float64: 2.2e-16, np.float32: 1.2e-7}


def relative_error(values, exact) -> float:
    return max(float(abs(mpf(float(value)) / truth - 1)) for value, truth in zip(values, exact, strict=True))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_mills_ratio_its_slope_and_differences(dtype):
    z = np.concatenate([RNG.uniform(-0.7, 6, 200), np.exp(RNG.uniform(0, 7, 100))]).astype(dtype)
    width = np.exp(RNG.uniform(np.log(1e-12), np.log(50), 300)).astype(dtype)
    ratio, difference = jax.jit(mills_and_difference)(z, width)
    slope = jax.jit(mills_slope)(z)
    assert ratio.dtype == difference.dtype == dtype
    with mp.workdps(60):
        exact = [reference.mills_ratio(float(x)) for x in z]
        beyond = [reference.mills_ratio(mpf(float(x)) + mpf(float(w))) for x, w in zip(z, width, strict=True)]
        assert relative_error(ratio, exact) < 8 * EPS[dtype]
        assert relative_error(difference, [a - b for a, b in zip(exact, beyond, strict=True)]) < 16 * EPS[dtype]
        assert relative_error(slope, [1 - mpf(float(x)) * a for x, a in zip(z, exact, strict=True)]) < 16 * EPS[dtype]


def test_functions_of_any_argument():
    z = np.concatenate([RNG.uniform(-8, 8, 200), [-37.0, -25.0, 0.0, 25.0, 37.0]])
    # One rounding of z^2 / 2 counts z^2 / 2 times.
    rounding = 4e-16 * (4 + z**2)
    with mp.workdps(60):
        truths = {
            mills_ratio: [reference.mills_ratio(x) for x in z],
            normal_pdf: [mp.npdf(x) for x in z],
            normal_cdf: [mp.ncdf(x) for x in z],
        }
        for function, truth in truths.items():
            values = zip(np.asarray(jax.jit(function)(z)), truth, strict=True)
            errors = np.array([float(abs(mpf(float(value)) / exact - 1)) for value, exact in values])
            assert (errors < rounding).all(), function.__name__
        x = np.array([-5.0, -0.3, 0.0, 0.4, 3.0, 1e8])
        assert relative_error(jax.jit(erfcx)(x), [mp.exp(mpf(v) ** 2) * mp.erfc(mpf(v)) for v in x]) < 1e-14


def test_derivatives():
    z = jnp.array([-3.0, 0.2, 9.0])
    ratio, density = jax.jit(mills_ratio)(z), normal_pdf(z)
    slope = z * ratio - 1  # R' = z R - 1, R'' = R + z R'
    for function, first, second in ((normal_cdf, density, -z * density), (mills_ratio, slope, ratio + z * slope)):
        np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(function)))(z), first, rtol=1e-12)
        np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(jax.grad(function))))(z), second, rtol=1e-9)
