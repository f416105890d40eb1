"""Normal distribution and Mills ratio by exponentials, polynomials and divisions, which every backend vectorises.

R(z) = N(-z) / n(z) = sqrt(pi/2) erfcx(z / sqrt 2), n and N the density and the distribution of the standard normal.
One polynomial serves all z >= -0.7, and its divided difference gives R(z) - R(z + w) without cancellation.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.numerics.fusion import in_one_loop

__all__ = ["erfcx", "mills_and_difference", "mills_ratio", "mills_slope", "normal_cdf", "normal_pdf"]

Value = Float[jax.Array, "*batch"]

_SQRT_2PI = math.sqrt(2 * math.pi)
# R(z) = u P(v), u = 1 / (z + 4.5), v = 7.6 u - 1 in [-1, 1] for z >= -0.7. P is the Chebyshev interpolant at 60
# points in 50 digits, cut where the rest is below half a unit in the last place, as powers of v; P(-1) = 1.
_SHIFT, _SCALE = 4.5, 7.6
_DOUBLE = (
    2.251053484735605,
    2.4741264148935325,
    2.1484991070104003,
    1.4451017066395646,
    0.7112026247635932,
    0.21585886231653417,
    0.007751600112050376,
    -0.024735541573188132,
    -0.0072661477545648695,
    0.0023938717598666007,
    0.0014873924599749693,
    -0.0003007722693371302,
    -0.00027951311486860286,
    6.198182122141291e-05,
    5.2308588474353334e-05,
    -1.7781025971859566e-05,
    -9.022979771981966e-06,
    5.391125872885352e-06,
    1.1373081726322676e-06,
    -1.4901005691223357e-06,
    -9.388326297438479e-09,
    3.395214627965004e-07,
    -3.531569684636363e-08,
    -5.5430715283074706e-08,
    6.00017549078552e-09,
    4.746944732793513e-09,
)
_SINGLE = (
    2.251053488076537,
    2.474126330537359,
    2.1484987749763116,
    1.4451041235311066,
    0.711208038290183,
    0.21583887995162976,
    0.007718244631995091,
    -0.0246634656730472,
    -0.007166946316111163,
    0.0022628378228347497,
    0.001331823152002495,
    -0.0001757795115923768,
    -0.00015049344443321153,
)


def _coefficients(dtype) -> tuple[float, ...]:
    return _DOUBLE if dtype == jnp.float64 else _SINGLE


def mills_and_difference(z: Value, width: Value) -> tuple[Value, Value]:
    """R(z) and R(z) - R(z + width), for z >= -0.7 and width >= 0, to a few units in the last place each.

    Nothing cancels however small the width. Below -0.7 the accuracy fades: ten digits at -1. Both arguments are of one
    dtype. Broadcasting.

    >>> ratio, difference = mills_and_difference(jnp.float64(2.0), jnp.float64(1e-12))
    >>> round(float(difference / 1e-12), 9)
    0.157261541
    """
    ratio, slope = _ratio_and_slope(z, width)
    return ratio, width * slope


def mills_slope(z: Value) -> Value:
    """-R'(z) = 1 - z R(z), for z >= -0.7, without cancellation where z is large. Broadcasting.

    >>> round(float(mills_slope(jnp.float64(1e6)) * 1e12), 9)
    1.0
    """
    return _ratio_and_slope(z, jnp.zeros_like(z))[1]


def _ratio_and_slope(z: Value, width: Value) -> tuple[Value, Value]:
    """R(z) and (R(z) - R(z + width)) / width.

    The polynomial's value and its divided difference come out of one Horner scheme; the terms that make up the slope
    have one sign.
    """
    u, u_beyond = in_one_loop(1 / (z + _SHIFT)), in_one_loop(1 / (z + width + _SHIFT))
    v, v_beyond = _SCALE * u - 1, _SCALE * u_beyond - 1
    *lower, value = _coefficients(z.dtype)
    divided = jnp.zeros_like(z)
    for coefficient in reversed(lower):
        divided = value + v_beyond * divided
        value = coefficient + v * value
    return u * value, u * u_beyond * (value + _SCALE * u_beyond * divided)


def mills_ratio(z: Value) -> Value:
    """R(z) = N(-z) / n(z), for any z; infinite where z < -38 (-13 in float32). Broadcasting.

    >>> round(float(mills_ratio(jnp.float64(0.0))), 15)  # sqrt(pi / 2)
    1.2533141373155
    """
    size = jnp.abs(z)
    positive = mills_and_difference(size, jnp.zeros_like(z))[0]
    # The inner where keeps the other side's overflow out of the derivative.
    reflected = _SQRT_2PI * jnp.exp(0.5 * jnp.where(z < 0, z, 0.0) ** 2)
    return jnp.where(z < 0, reflected - positive, positive)


def erfcx(x: Value) -> Value:
    """exp(x^2) erfc(x), the scaled complementary error function, for any x; infinite where x < -26.6. Broadcasting.

    >>> round(float(erfcx(jnp.float64(10.0))), 15)
    0.056140992743823
    """
    return math.sqrt(2 / math.pi) * mills_ratio(math.sqrt(2) * x)


def normal_pdf(z: Value) -> Value:
    """n(z) = exp(-z^2 / 2) / sqrt(2 pi). Broadcasting.

    >>> round(float(normal_pdf(jnp.float64(0.0))), 15)
    0.398942280401433
    """
    return jnp.exp(-0.5 * z * z) * (1 / _SQRT_2PI)


@jax.custom_jvp
def normal_cdf(z: Value) -> Value:
    """N(z), the distribution of the standard normal, to the last places also where it is tiny. Broadcasting.

    >>> round(float(normal_cdf(jnp.float64(-10.0)) * 1e24), 9)
    7.619853024
    """
    size = jnp.abs(z)
    tail = normal_pdf(size) * mills_and_difference(size, jnp.zeros_like(z))[0]
    return jnp.where(z < 0, tail, 1 - tail)


@normal_cdf.defjvp
def _normal_cdf_jvp(primals, tangents):
    (z,), (tangent,) = primals, tangents
    return normal_cdf(z), normal_pdf(z) * tangent
