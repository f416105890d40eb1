"""Sine, cosine and the angle of a point, which XLA's CPU backend turns into vector instructions inside any loop.

Its own are calls of scalar functions, 4-10 ns an element; these are arithmetic and comparisons, 1-2 ns.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from quantjax.numerics.float_bits import TO_LOWEST_BITS
from quantjax.numerics.fusion import in_one_loop
from quantjax.numerics.polynomials import horner

__all__ = ["sin_cos_near_zero", "vector_atan2", "vector_sin_cos"]

_TWO_OVER_PI = 6.36619772367581382433e-01
# pi/2 in parts of 33 bits, so that whole multiples up to 2^20 of the first two are exact.
_HALF_PI = (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21)
# sin(r) = r + r z S(z) and cos(r) = 1 - z/2 + z^2 C(z), z = r^2, for |r| <= pi/4.
_SIN = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
_COS = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)
# Of these, the first that each precision takes.
_TERMS = {np.dtype("float64"): (6, 6), np.dtype("float32"): (4, 3)}
# atan(t) = t + t z P(z) / Q(z), z = t^2, for |t| <= 0.66.
_ATAN_P = (
    -6.485021904942025371773e01,
    -1.228866684490136173410e02,
    -7.500855792314704667340e01,
    -1.615753718733365076637e01,
    -8.750608600031904122785e-01,
)
_ATAN_Q = (
    1.945506571482613964425e02,
    4.853903996359136964868e02,
    4.328810604912902668951e02,
    1.650270098316988542046e02,
    2.485846490142306297962e01,
    1.0,
)
_TAN_PI_8 = 0.41421356237309503
_PI, _PI_LOW = 3.141592653589793, 1.2246467991473532e-16


@jax.custom_jvp
def vector_sin_cos(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sine and cosine of x (radians), elementwise, to within 2.2 units in the last place for |x| below 10^6.

    float64 on a CPU is computed here, everything else by `jnp.sin` and `jnp.cos`. Beyond 10^6 the reduction by
    multiples of pi/2 loses digits, faster than |x| grows: the error is 1e-7 at 10^9, and beyond 10^15 the result is no
    sine at all; NaN and infinities give NaN. Broadcasting; differentiable
    to any order. Source: the method and coefficients of FreeBSD's msun `k_sin.c`, `k_cos.c`, `e_rem_pio2.c` (Sun
    Microsystems, 1993).
    """
    if x.dtype != jnp.float64:
        return jnp.sin(x), jnp.cos(x)
    return jax.lax.platform_dependent(x, cpu=_sin_cos, default=lambda x: (jnp.sin(x), jnp.cos(x)))


@vector_sin_cos.defjvp
def _sin_cos_jvp(primals, tangents):
    sine, cosine = vector_sin_cos(primals[0])
    return (sine, cosine), (cosine * tangents[0], -sine * tangents[0])


@jax.custom_jvp
def vector_atan2(y: jax.Array, x: jax.Array) -> jax.Array:
    """Angle of the point (x, y) in (-pi, pi], elementwise, to within two units in the last place.

    float64 on a CPU is computed here, everything else by `jnp.arctan2`. The angle of the origin is 0, its derivatives
    are NaN; infinite coordinates give NaN. Broadcasting; differentiable to any order. Source: the method and
    coefficients of Cephes' `atan.c` (Moshier, 1989).
    """
    if jnp.result_type(x, y) != jnp.float64:
        return jnp.arctan2(y, x)
    return jax.lax.platform_dependent(y, x, cpu=_atan2, default=jnp.arctan2)


@vector_atan2.defjvp
def _atan2_jvp(primals, tangents):
    y, x = primals
    y_tangent, x_tangent = tangents
    return vector_atan2(y, x), (x * y_tangent - y * x_tangent) / (x * x + y * y)


def _sin_cos(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    turns = jnp.round(x * _TWO_OVER_PI)
    r = ((x - turns * _HALF_PI[0]) - turns * _HALF_PI[1]) - turns * _HALF_PI[2]
    sine, cosine = sin_cos_near_zero(r)
    # The lowest two bits of the whole number of quarter turns.
    bits = jax.lax.bitcast_convert_type(turns + TO_LOWEST_BITS, jnp.int64)
    odd = (bits & 1) != 0
    a, b = jnp.where(odd, cosine, sine), jnp.where(odd, sine, cosine)
    return _with_sign(a, bits), _with_sign(b, bits + 1)


def _with_sign(x: jax.Array, bits: jax.Array) -> jax.Array:
    """-x where the second lowest bit is set, else x."""
    sign = (bits & 2) << 62
    return jax.lax.bitcast_convert_type(jax.lax.bitcast_convert_type(x, jnp.int64) ^ sign, jnp.float64)


def sin_cos_near_zero(r: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sine and cosine of r in float64 or float32, elementwise, to its last places for |r| <= pi/4.

    Computed here on every backend. Broadcasting. Source: as `vector_sin_cos`.

    >>> [round(float(x), 6) for x in sin_cos_near_zero(jnp.float64(0.5))]
    [0.479426, 0.877583]
    """
    sine_terms, cosine_terms = _TERMS[r.dtype]
    z = r * r
    sine = r + r * z * horner(_SIN[:sine_terms], z)
    return sine, 1 - (0.5 * z - z * z * horner(_COS[:cosine_terms], z))


def _atan2(y: jax.Array, x: jax.Array) -> jax.Array:
    ax, ay = jnp.abs(x), jnp.abs(y)
    low, high = jnp.minimum(ax, ay), jnp.maximum(ax, ay)
    steep = low > _TAN_PI_8 * high  # atan(a) = pi/4 + atan((a - 1) / (a + 1))
    below = jnp.where(steep, low + high, high)
    t = in_one_loop(jnp.where(steep, low - high, low) / jnp.where(below == 0, 1.0, below))
    z = t * t
    angle = t + t * z * (horner(_ATAN_P, z) / horner(_ATAN_Q, z)) + jnp.where(steep, 0.25 * _PI, 0.0)
    angle = jnp.where(ay > ax, 0.5 * _PI - (angle - 0.5 * _PI_LOW), angle)
    angle = jnp.where(x < 0, _PI - (angle - _PI_LOW), angle)
    return jnp.where(y < 0, -angle, angle)
