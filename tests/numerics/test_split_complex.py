"""Complex numbers as pairs against numpy's own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.numerics.split_complex import SplitComplex, split
from tests.assertions import assert_close


@pytest.fixture(scope="module")
def numbers() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    draw = lambda: rng.normal(size=2_000) * 10 ** rng.uniform(-4, 2, 2_000)  # noqa: E731
    return draw() + 1j * draw(), draw() + 1j * draw()


def close(actual: SplitComplex, expected: np.ndarray) -> None:
    """Close beside the modulus: a part that cancels has the digits that the other leaves it."""
    error = np.abs(np.asarray(actual.joined()) - expected) / np.maximum(np.abs(expected), 1e-300)
    assert error.max() < 2e-15


def test_arithmetic(numbers):
    a, b = numbers
    x, y = split(a), split(b)
    close(x * y, a * b)
    close(x / y, a / b)
    close(x + y, a + b)
    close(2.0 - x, 2 - a)
    close(x * 3.0 - y, a * 3 - b)
    close(y.reciprocal(), 1 / b)
    close(x.square(), a * a)
    close(x.times_i(), 1j * a)
    assert_close(x.square_modulus(), np.abs(a) ** 2)


def test_functions(numbers):
    a = numbers[0]
    close(split(a).sqrt(), np.sqrt(a))
    assert (np.asarray(split(a).sqrt().re) >= 0).all()
    tame = a[np.abs(a) < 30]
    close(split(tame).exp(), np.exp(tame))
    close(split(tame).expm1(), np.expm1(tame))
    log, rounding = np.asarray(split(a).log1p().joined()), 4e-16 / np.minimum(np.abs(1 + a), 1) ** 2
    assert (np.abs(log - np.log1p(a)) < 2e-15 * np.abs(np.log1p(a)) + rounding).all()


def test_roots_of_the_axes():
    z = jnp.array([4.0 + 0j, -4.0 + 0j, 0j, -4.0 - 0j])
    assert_close(split(z).sqrt().re, [2.0, 0.0, 0.0, 0.0])
    assert_close(np.abs(split(z).sqrt().im), [0.0, 2.0, 0.0, 2.0])
    slope = jax.grad(lambda x: SplitComplex(x, 0.0 * x).sqrt().re)
    assert slope(4.0) == pytest.approx(0.25)
    assert np.isfinite(slope(0.0))


def test_what_is_small_keeps_its_digits():
    z = jnp.array([1e-12 + 2e-13j, -1e-9 + 1e-14j])
    expected = np.array(z) + np.array(z) ** 2 / 2
    close(split(z).expm1(), expected)
    log = split(z).log1p()
    assert_close(log.re, [1e-12 - 0.48e-24, -1e-9 - 5e-19])
    assert_close(log.im, [2e-13 - 2e-25, 1e-14 + 1e-23])


def test_float32_stays_float32():
    z = split(jnp.array([1 + 2j], jnp.complex64))
    for value in (z.sqrt(), z.exp(), z.expm1(), z.log1p(), z * z / z):
        assert value.re.dtype == value.im.dtype == jnp.float32
