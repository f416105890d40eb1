"""Sobol's points are scipy's, and scrambling makes them uniform without breaking the net."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from quantjax.numerics import sobol_points
from quantjax.numerics.sobol import scrambled, sobol_directions, to_uniform


def test_plain_points_are_those_of_scipy():
    count = 512
    ours = np.asarray(jax.jit(sobol_points, static_argnums=(0, 1))(count, 300))
    number = np.arange(count)
    theirs = qmc.Sobol(300, scramble=False, bits=32).random(count)
    np.testing.assert_allclose(ours[:, number ^ (number >> 1)].T, theirs, rtol=0, atol=2.0**-33)


def test_the_last_dimension_is_that_of_scipy():
    theirs = qmc.Sobol(21_201, scramble=False, bits=32).random(8)
    directions = sobol_directions(21_201)[-1]
    words = [int(f"{int(word):032b}"[::-1], 2) for word in directions[:3]]
    gray = np.arange(8) ^ (np.arange(8) >> 1)
    made = [np.bitwise_xor.reduce([word for bit, word in enumerate(words) if g >> bit & 1] or [0]) for g in gray]
    np.testing.assert_array_equal(np.array(made) / 2**32, theirs[:, -1])


def test_any_stretch_is_the_same_points(key):
    draw = jax.jit(sobol_points, static_argnums=(0, 1), static_argnames="start")
    whole, part = draw(256, 4, key=key), draw(64, 4, key=key, start=128)
    np.testing.assert_array_equal(part, whole[:, 128:192])


def test_scrambling_keeps_the_net(key):
    # Each of the 2^m cells of every dyadic partition of the first two dimensions, which are a (0, m, 2)-net, has one.
    m = 8
    points = np.asarray(jax.jit(lambda key: sobol_points(1 << m, 2, key=key))(key))
    for a in range(m + 1):
        cells = np.floor(points * np.array([[1 << a], [1 << (m - a)]])).astype(int)
        assert len({tuple(cell) for cell in cells.T}) == 1 << m


def test_scrambling_is_nested():
    # A bit depends on the bits before it alone: words that share their first k bits still do, and differ in the next.
    words = jnp.arange(1 << 10, dtype=jnp.uint32)  # reversed words: the lowest bits are the first
    out = np.asarray(jax.jit(scrambled)(words, jnp.uint32(0x9E3779B9)))
    for k in range(1, 11):
        low = out & ((1 << k) - 1)
        np.testing.assert_array_equal(low[: 1 << k], low[-(1 << k) :])
        assert len(np.unique(low)) == 1 << k


def test_scrambled_points_are_uniform_and_independent_of_each_other():
    keys = jax.random.split(jax.random.key(3), 2000)
    points = np.asarray(jax.jit(jax.vmap(lambda key: sobol_points(4, 3, key=key)))(keys))
    for index in range(4):
        for dimension in range(3):
            assert stats.kstest(points[:, dimension, index], "uniform").pvalue > 1e-3
    correlation = np.corrcoef(points[:, :, 0].T)
    assert np.abs(correlation - np.eye(3)).max() < 4 / np.sqrt(len(keys))


def test_scrambled_integral_is_unbiased_and_converges_fast():
    keys = jax.random.split(jax.random.key(5), 64)

    def integrals(count):
        one = jax.jit(jax.vmap(lambda key: jnp.prod(1 + 0.8 * (sobol_points(count, 5, key=key) - 0.5), axis=0).mean()))
        return np.asarray(one(keys)) - 1

    coarse, fine = integrals(16), integrals(256)
    for errors in (coarse, fine):
        assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(len(keys))
    assert fine.std() < coarse.std() / 16  # plain Monte Carlo: a fourth


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_numbers_are_between_0_and_1(dtype):
    lowest_and_highest = to_uniform(jnp.array([0, (1 << 32) - 1], jnp.uint32), dtype)
    assert lowest_and_highest.dtype == dtype
    assert 0 < lowest_and_highest[0] < 1e-9
    assert 1 - 1e-7 < lowest_and_highest[1] < 1


def test_bad_arguments(key):
    with pytest.raises(ValueError, match="21201 dimensions, got 21202"):
        sobol_points(2, 21_202)
    with pytest.raises(ValueError, match="up to number 2\\^32"):
        sobol_points(2, 1, start=(1 << 32) - 1)
    with pytest.raises(ValueError, match="num_points"):
        sobol_points(0, 1, key=key)
