"""Intervals as free numbers: there and back, derivatives, ends."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.numerics.bounded import Interval
from tests.assertions import assert_close

INTERVALS = [Interval(0.0, 4.0), Interval(-1.0, 1.0), Interval(lower=0.5), Interval(upper=-2.0), Interval()]


@pytest.mark.parametrize("interval", INTERVALS)
def test_there_and_back(interval):
    free = jnp.linspace(-12, 12, 49)
    bounded = interval.bounded(free)
    assert bool(interval.contains(bounded).all())
    assert bool((jnp.diff(bounded) > 0).all())
    assert_close(interval.free(bounded), free, scale=1e6)


@pytest.mark.parametrize("interval", INTERVALS)
def test_derivative_is_the_difference(interval):
    free, step = jnp.linspace(-5.0, 5.0, 11), 1e-6  # 0 among them, where two forms meet
    slope = jax.vmap(jax.grad(interval.bounded))(free)
    difference = (interval.bounded(free + step) - interval.bounded(free - step)) / (2 * step)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)


def test_ends():
    interval = Interval(0.0, 4.0)
    lower, upper = interval.reach
    assert 0 < float(interval.bounded(lower)) < 2e-6
    assert 4 - 2e-6 < float(interval.bounded(upper)) < 4
    assert bool(interval.bounded(jnp.array(-200.0)) > 0)  # the distance to an end keeps its digits
    assert interval.contains(jnp.array([0.0, 1.0, 4.0, jnp.nan])).tolist() == [False, True, False, False]
    assert np.isnan(interval.free(jnp.array(5.0)))
    assert Interval().reach == (-math.inf, math.inf)


def test_an_empty_interval_is_refused():
    with pytest.raises(ValueError, match="lower < upper"):
        Interval(1.0, 1.0)
