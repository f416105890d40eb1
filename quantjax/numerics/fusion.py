"""Keeping elementwise work in one loop.

XLA's CPU backend never computes a division, root, exponential or logarithm twice, so one that has two users ends its
loop: the result, and all that follows from it, is written to memory and read again, at several times the cost of the
arithmetic. Behind a cheap operation of its own it has one user, and loops of hundreds of operations stay one.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["in_one_loop"]


@jax.custom_jvp
def in_one_loop(x: jax.Array) -> jax.Array:
    """x, for a division, root, exponential or logarithm whose result is used more than once; -inf becomes -max.

    One vector instruction. Broadcasting; the derivative is that of x.

    >>> float(in_one_loop(jnp.float64(2.0)))
    2.0
    """
    return jnp.maximum(x, jnp.finfo(x.dtype).min)


@in_one_loop.defjvp
def _in_one_loop_jvp(primals, tangents):
    return in_one_loop(*primals), *tangents
