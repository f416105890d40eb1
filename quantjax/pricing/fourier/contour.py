"""Where to integrate: hyperbolic contours that follow the decay of a characteristic function.

On z(y) = -i/2 + b (sinh(y + i w) - i sin w), y real, the integrands of option prices decay doubly exponentially in y,
so that the trapezoidal rule converges exponentially. Two contours serve all strikes: with x* the log-moneyness whose
integrand does not oscillate far out, strikes above it take the tilt -w and strikes below it +w, where e^(-i z (k - x*))
decays. The scale b, the tilt and the reach come from two values of the characteristic function alone: so the same rule
serves Gaussian tails (large mean reversion, small vol of vol) and the slow exponential ones of a Feller ratio near 0.

Source: Boyarchenko & Levendorskii (2019), Sinh-acceleration: efficient evaluation of probability distributions, option
pricing, and Monte Carlo simulations, IJTAF 22(3). The constants of b, w and the reach are fitted: they minimise errors
with 24, 32 and 48 nodes over 1,200 of Heston's models, half of them as calibrations give them and half far wilder, at
maturities of a day to 30 years; docs/heston_fourier.md has the errors over other ones.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from quantjax.numerics.exponential import vector_expm1
from quantjax.numerics.fusion import in_one_loop
from quantjax.numerics.split_complex import SplitComplex, split

__all__ = ["Contours", "find_contours"]

Value = Float[jax.Array, "*batch"]

# The characteristic function is looked at where a Gaussian one of the same total variance would have fallen by
# exp(-_PROBE), and where it has.
_PROBE = 36.0
# The scale b, in reciprocal standard deviations, is _SCALE r^_SCALE_POWER (nodes / _NODES)^_SCALE_BY_NODES, where r is
# the decay far out as a share of a Gaussian's: 1 for a Gaussian, near 0 for slow exponential tails.
_SCALE, _SCALE_POWER, _NODES, _SCALE_BY_NODES = 1.9, 0.72, 40, -0.75
# The integrand is followed until it has fallen by exp(-reach), reach = _REACH + _REACH_BY_NODES ln(nodes / _NODES).
_REACH, _REACH_BY_NODES = 27.0, 8.0
# The sine of the tilt w of the two contours: _SINE - _SINE_BY_DECAY ln r, up to a limit. (A strike's own contour has
# half the angle at which its integrand does not oscillate.)
_SINE, _SINE_BY_DECAY, _SINE_LIMIT = 0.28, 0.31, 0.66
# The most that e^(-i z k) may turn from one node to the next in the middle, in radians.
_TURN_OF_NODES = 2.0
# Total variance below which a distribution is a point.
_SMALLEST_VARIANCE = 1e-14


class Contours(eqx.Module):
    """For each maturity: whether the law is a point (`still`), `centre` x*, how far from it log-moneynesses may lie
    that the nodes resolve (`furthest`), and b (`scale`), cos w and sin w, distance of nodes in y (`spacing`) of its two
    contours. Constants: prices do not depend on them, so neither do derivatives."""

    still: Bool[jax.Array, "*batch"]
    centre: Value
    furthest: Value
    scale: Value
    cosine: Value
    sine: Value
    spacing: Value

    def nodes(self, node, sides) -> tuple[SplitComplex, SplitComplex, jax.Array]:
        """z, z'(y) times the spacing, and Im z + 1/2, at y = (node + 1/2) spacing.

        `sides`: +1 for strikes above x*, -1 for those below. Broadcasting over the contours, nodes and sides.
        """
        # e^y - 1, so that the nodes next to the poles keep their digits
        rise = vector_expm1(self.spacing * (node + 0.5))
        fall = in_one_loop(1 / (1 + rise))
        sinh, versine = 0.5 * rise * (1 + fall), 0.5 * rise * rise * fall
        cosh = 1 + versine
        across, up = self.scale * self.cosine, -sides * (self.scale * self.sine)
        lift = up * versine
        return (
            SplitComplex(across * sinh, lift - 0.5),
            SplitComplex(self.spacing * across * cosh, self.spacing * up * sinh),
            lift,
        )

    def pole_shares(self, sides) -> tuple[jax.Array, jax.Array]:
        """What the sum over the nodes takes from the residues at z = 0 and z = -i, each as a share: 1 / (1 + e^(2 pi
        d / spacing)), d the distance of the pole from the real line in y.

        Source: Chiarella & Reichel (1968), On the evaluation of integrals related to the error function, Mathematics of
        Computation 22:137, for nodes at halves; Trefethen & Weideman (2014), SIAM Review 56:385.
        """
        at_0, at_minus_i = (self._pole_share(sine) for sine in (-sides * self.sine, sides * self.sine))
        return at_0, at_minus_i

    def _pole_share(self, sine) -> jax.Array:
        """The share of a pole 1/2 above -i/2, from a contour whose tilt has this sine."""
        # sin(w + d) - sin w = 1 / (2 b). Where no d solves it the pole is off the axis, as far as pi / 2 - w and
        # further, where the share is below rounding for any but the fewest nodes.
        cosine = self.cosine
        rise = jnp.minimum(0.5 / self.scale, 1 - sine)
        cosine_there = jnp.sqrt(jnp.maximum(1 - (sine + rise) ** 2, 0.0))
        # sin d = sin(w + d) cos w - cos(w + d) sin w, without the cancellation
        sine_between = rise * (cosine + sine * (2 * sine + rise) / (cosine + cosine_there))
        distance = jnp.arctan2(sine_between, (sine + rise) * sine + cosine * cosine_there)
        return jax.nn.sigmoid(-2 * jnp.pi * distance / self.spacing)


def find_contours(model, maturities: Value, num_nodes: int, log_moneyness: Value | None = None) -> Contours:
    """The contours for a model's `log_cf` at maturities `[...]`: two for all strikes, or one for each `log_moneyness`.

    A strike's own contour is the one of `sides` +1.
    """
    model, maturities, log_moneyness = jax.lax.stop_gradient((model, maturities, log_moneyness))

    def log_cf(u: Value) -> SplitComplex:
        return split(model.log_cf(jax.lax.complex(u, jnp.full_like(u, -0.5)), maturities))

    total_variance = -8 * log_cf(jnp.zeros_like(maturities)).re
    still = total_variance < _SMALLEST_VARIANCE
    variance = jnp.where(still, 1.0, total_variance)
    near = jnp.sqrt(2 * _PROBE / variance)
    at_near = jnp.where(still, _PROBE, -log_cf(near).re)
    far = near * jnp.maximum(_PROBE / at_near, 1.001)
    at_far = log_cf(far)
    at_far = SplitComplex(jnp.where(still, -1.001 * _PROBE, at_far.re), jnp.where(still, 0.0, at_far.im))
    # |ln phi| grows like a power of u between 1 and 2: interpolate it there.
    power = jnp.clip(jnp.log(-at_far.re / at_near) / jnp.log(far / near), 0.8, 2.0)
    more_nodes = math.log(num_nodes / _NODES)
    end = near * ((_REACH + _REACH_BY_NODES * more_nodes) / at_near) ** (1 / power)
    # Far out ln phi(u) is about -(decay - i centre) u.
    decay, centre = -at_far.re / far, at_far.im / far
    log_share = jnp.log(jnp.sqrt(decay**2 + centre**2) * near / _PROBE)
    scale = _SCALE * jnp.exp(_SCALE_POWER * log_share + _SCALE_BY_NODES * more_nodes) / jnp.sqrt(variance)
    # Further out, e^(-i z k) turns too far from node to node.
    furthest = _TURN_OF_NODES * num_nodes / (scale * jnp.arcsinh(end / scale))
    if log_moneyness is None:
        sine = jnp.clip(_SINE - _SINE_BY_DECAY * log_share, 0.0, _SINE_LIMIT)
        cosine = jnp.sqrt(1 - sine**2)
    else:
        offset = jnp.clip(log_moneyness - centre, -furthest, furthest)
        distance = jnp.sqrt(offset**2 + decay**2)
        cosine = jnp.sqrt(0.5 + 0.5 * decay / distance)
        sine = 0.5 * offset / (distance * cosine)
        # Along its own contour an exponential tail falls faster; a Gaussian one does not care.
        gain = jnp.maximum(cosine + offset / decay * sine, 1.0)
        end = end / (cosine * gain ** jnp.clip(2 - power, 0.0, 1.0))
    return Contours(still, centre, furthest, scale, cosine, sine, jnp.arcsinh(end / scale) / num_nodes)
