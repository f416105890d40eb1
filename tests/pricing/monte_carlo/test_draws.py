"""Draws: normal, independent from step to step and factor to factor, the same however they are cut."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from quantjax.pricing import PseudoRandom, Sobol
from tests.assertions import assert_close

NUM_PATHS, STEPS = 1 << 10, jnp.array([0.1, 0.2, 0.3])


def normals(draws, key, num_paths: int = NUM_PATHS, dtype=np.float64) -> np.ndarray:
    """All of them, `[step, factor, path]`."""

    @jax.jit
    def draw(draws, key):
        rows, normal = draws.prepare(key, STEPS.astype(dtype), 2, num_paths, dtype)
        return jax.lax.map(lambda row: jnp.stack(normal(row)), rows)

    return np.asarray(draw(draws, key))


@pytest.mark.parametrize("draws", [PseudoRandom(), PseudoRandom(antithetic=True), Sobol(), Sobol(bridge=False)])
def test_standard_and_independent(key, draws):
    half = NUM_PATHS // 2  # of antithetic paths the second half repeats the first
    z = normals(draws, key)[..., :half].reshape(6, half)
    for row in z:
        assert stats.kstest(row, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(z) - np.eye(6)).max() < 4 / np.sqrt(half)
    if draws == PseudoRandom(antithetic=True):
        whole = normals(draws, key)
        np.testing.assert_array_equal(whole[..., half:], -whole[..., :half])


def test_sobol_points_are_the_same_however_they_are_cut(key):
    draws = Sobol()
    whole = normals(draws, key)
    own_key, second = draws.chunk(key, jnp.uint32(3), jnp.uint32(1), NUM_PATHS // 4)
    assert own_key == jax.random.fold_in(key, 3)  # the key of scrambling 3, for all its chunks
    assert_close(normals(second, key, NUM_PATHS // 4), whole[..., NUM_PATHS // 4 : NUM_PATHS // 2])
    later = Sobol(start=64)
    later.check(32, 2)
    assert later.chunk(key, jnp.uint32(0), jnp.uint32(1), 32)[1].start == 96
    for start in (32, 1 << 32):
        with pytest.raises(ValueError, match="expected start as a multiple of the 64 points"):
            Sobol(start=start).check(32, 2)
    with pytest.raises(ValueError, match="start as an integer >= 0"):
        Sobol(start=-1)


@pytest.mark.parametrize("draws", [PseudoRandom(), Sobol(bridge=False)])
def test_float32_numbers_are_the_same(key, draws):
    single, double = normals(draws, key, dtype=np.float32), normals(draws, key)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=2e-3)  # where 1 - u has few digits left
    assert np.isfinite(single).all()
