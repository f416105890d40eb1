"""The bridge has the law of Brownian motion, from its first number the end."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.numerics import brownian_bridge
from quantjax.numerics.brownian_bridge import bridge_levels
from tests.assertions import assert_close

TIMES = np.array([0.1, 0.25, 0.3, 0.7, 1.1, 2.0, 2.5])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("steps", [1, 7])
def test_covariance_is_the_smaller_time(steps, dtype):
    # Linear in the normals: the images of the unit vectors give the covariance exactly.
    times = jnp.asarray(TIMES[:steps], dtype)
    root = jax.jit(brownian_bridge)(jnp.eye(steps, dtype=dtype), times)
    assert root.dtype == dtype
    assert_close(root @ root.T, np.minimum(*np.meshgrid(times, times)))


def test_first_normal_is_the_end_and_then_the_middle():
    root = np.asarray(jax.jit(brownian_bridge)(jnp.eye(7), jnp.asarray(TIMES)))
    assert (root[-1, 1:] == 0).all()
    assert root[-1, 0] == pytest.approx(np.sqrt(2.5))
    assert np.flatnonzero(root[2]).tolist() == [0, 1]  # point 3 is the middle of 0 ... 7


def test_every_point_is_set_once():
    for steps in (1, 5, 64, 100):
        middles = np.concatenate([level[0] for level in bridge_levels(steps)] or [np.array([], int)])
        assert sorted([*middles.tolist(), steps]) == list(range(1, steps + 1))


def test_gradient():
    z = jax.random.normal(jax.random.key(2), (3, 5))
    times = jnp.asarray(TIMES[:3])

    @jax.jit
    def total(t):
        return (brownian_bridge(z, t) ** 2).sum()

    differences = [(total(times + h) - total(times - h)) / 2e-6 for h in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(jax.jit(jax.grad(total))(times), differences, rtol=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match="increase from above 0"):
        brownian_bridge(jnp.zeros(2), np.array([1.0, 1.0]))
    with pytest.raises(ValueError, match="increase from above 0"):
        brownian_bridge(jnp.zeros(2), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="normals\\[step"):
        brownian_bridge(jnp.zeros(3), np.array([0.5, 1.0]))
