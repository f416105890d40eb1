"""Complex numbers as pairs of real arrays, for kernels: XLA's CPU backend takes thirty times as long over its own.

A function of complex arrays splits its arguments (`split`), computes on pairs, and joins the result (`joined`): between
two such functions the compiler removes the joining and splitting.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from quantjax.numerics.exponential import vector_exp, vector_expm1
from quantjax.numerics.fusion import in_one_loop
from quantjax.numerics.logarithm import vector_log1p
from quantjax.numerics.trigonometry import vector_atan2, vector_sin_cos

__all__ = ["SplitComplex", "split"]


class SplitComplex(eqx.Module):
    """re + i im, of real arrays of one shape and dtype; arithmetic with its like and with real numbers and arrays."""

    re: jax.Array
    im: jax.Array

    __array_ufunc__ = None  # array * z is ours, not an array of objects

    def __add__(self, other) -> SplitComplex:
        if isinstance(other, SplitComplex):
            return SplitComplex(self.re + other.re, self.im + other.im)
        return SplitComplex(self.re + other, self.im)

    __radd__ = __add__

    def __neg__(self) -> SplitComplex:
        return SplitComplex(-self.re, -self.im)

    def __sub__(self, other) -> SplitComplex:
        return self + -other

    def __rsub__(self, other) -> SplitComplex:
        return other + -self

    def __mul__(self, other) -> SplitComplex:
        if isinstance(other, SplitComplex):
            return SplitComplex(
                self.re * other.re - self.im * other.im,
                self.re * other.im + self.im * other.re,
            )
        return SplitComplex(self.re * other, self.im * other)

    __rmul__ = __mul__

    def __truediv__(self, other) -> SplitComplex:
        if isinstance(other, SplitComplex):
            return self * other.reciprocal()
        return self * in_one_loop(1 / jnp.asarray(other))

    def reciprocal(self) -> SplitComplex:
        """1 / z."""
        return self.conjugate() * in_one_loop(1 / self.square_modulus())

    def times_i(self) -> SplitComplex:
        """i z."""
        return SplitComplex(-self.im, self.re)

    def conjugate(self) -> SplitComplex:
        """re - i im."""
        return SplitComplex(self.re, -self.im)

    def square_modulus(self) -> jax.Array:
        """|z|^2; overflows where |z| is beyond the root of the largest number."""
        return self.re * self.re + self.im * self.im

    def square(self) -> SplitComplex:
        """z^2, without the cancellation of the squares of its parts."""
        return SplitComplex((self.re - self.im) * (self.re + self.im), 2 * self.re * self.im)

    def exp(self) -> SplitComplex:
        """e^z."""
        scale = vector_exp(self.re)
        sine, cosine = vector_sin_cos(self.im)
        return SplitComplex(scale * cosine, scale * sine)

    def expm1(self) -> SplitComplex:
        """e^z - 1, which keeps its digits near 0."""
        # e^a cos b - 1 = (e^a - 1) cos b - 2 sin^2(b / 2)
        less = vector_expm1(self.re)
        sine, cosine = vector_sin_cos(0.5 * self.im)
        versine = 2 * sine * sine
        return SplitComplex(less * (1 - versine) - versine, (less + 1) * (2 * sine * cosine))

    def where(self, condition, other: SplitComplex) -> SplitComplex:
        """This where the condition holds, the other elsewhere."""
        return SplitComplex(jnp.where(condition, self.re, other.re), jnp.where(condition, self.im, other.im))

    def sqrt(self) -> SplitComplex:
        """The root with a real part of 0 or more; its derivative at 0 is taken as 0."""
        modulus = jnp.sqrt(_nonzero(self.square_modulus()))
        larger = in_one_loop(jnp.sqrt(0.5 * (modulus + jnp.abs(self.re))))
        smaller = in_one_loop(0.5 * self.im / larger)
        right = self.re >= 0
        zero = (self.re == 0) & (self.im == 0)
        re = jnp.where(right, larger, jnp.abs(smaller))
        im = jnp.where(right, smaller, jnp.where(self.im < 0, -larger, larger))
        return SplitComplex(jnp.where(zero, 0.0, re), jnp.where(zero, 0.0, im))

    def log1p(self) -> SplitComplex:
        """ln(1 + z) on the principal branch, exact near 0; near -1 its real part errs by roundings over |1 + z|^2."""
        beyond = self.re * (self.re + 2) + self.im * self.im  # |1 + z|^2 - 1
        return SplitComplex(0.5 * vector_log1p(beyond), vector_atan2(self.im, self.re + 1))

    def joined(self) -> jax.Array:
        """The complex array."""
        return jax.lax.complex(self.re, self.im)


def split(z: jax.Array) -> SplitComplex:
    """A complex (or real) array as a pair.

    >>> split(jnp.array([3 + 4j])).sqrt().joined().tolist()
    [(2+1j)]
    """
    z = jnp.asarray(z)
    return SplitComplex(jnp.real(z), jnp.imag(z))


def _nonzero(square: jax.Array) -> jax.Array:
    return jnp.where(square == 0, 1.0, square)
