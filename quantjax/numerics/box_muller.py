"""Pairs of normal numbers from random words by Box and Muller's transform, in arithmetic that XLA vectorises."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt32

from quantjax.numerics.logarithm import vector_log
from quantjax.numerics.trigonometry import sin_cos_near_zero

__all__ = ["box_muller"]


def box_muller(
    first: UInt32[jax.Array, "*batch"], second: UInt32[jax.Array, "*batch"], dtype
) -> tuple[Float[jax.Array, "*batch"], Float[jax.Array, "*batch"]]:
    """Two independent standard normals, sqrt(-2 ln u) (cos a, sin a), from two random 32-bit words.

    `first` gives u = (word + 1/2) / 2^32, `second` the angle a on 2^32 equal steps: a pair has 64 random bits in either
    `dtype` (float64 or float32), and no number is beyond 6.77, which one normal in 10^11 would be. Returns two arrays
    `[...]`. Broadcasting. Source: Box & Muller (1958), Annals of Mathematical Statistics 29:610.

    >>> a, b = box_muller(jnp.array([1 << 31], jnp.uint32), jnp.array([0], jnp.uint32), jnp.float32)
    >>> round(float(a[0]), 4), round(float(b[0]), 4)
    (1.1774, 0.0)
    """
    dtype = np.dtype(dtype)
    u = (first.astype(dtype) + 0.5) * 2.0**-32
    radius = jnp.sqrt(-2 * vector_log(u))
    # The two highest bits are the quarter of the circle, the others an angle in [-pi/4, pi/4).
    quarter = second >> np.uint32(30)
    angle = jax.lax.bitcast_convert_type(second << np.uint32(2), jnp.int32).astype(dtype) * (math.pi / 2 * 2.0**-32)
    sine, cosine = sin_cos_near_zero(angle)
    odd = (quarter & np.uint32(1)) != 0
    x, y = jnp.where(odd, sine, cosine), jnp.where(odd, cosine, sine)
    x = jnp.where((quarter == 1) | (quarter == 2), -x, x)
    return radius * x, radius * jnp.where(quarter >= 2, -y, y)
