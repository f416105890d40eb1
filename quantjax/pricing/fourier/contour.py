"""Where to integrate: hyperbolic contours that follow the decay of a characteristic function.

On z(y) = -i/2 + b (sinh(y + i w) - i sin w), y real, the integrands of option prices decay doubly exponentially in y,
so that the trapezoidal rule converges exponentially. Two contours serve all strikes: with x* the log-moneyness whose
integrand does not oscillate far out, strikes above it take the tilt -w and strikes below it +w, where e^(-i z (k - x*))
decays. The scale b, the tilt and the reach come from two values of the characteristic function alone: so the same rule
serves Gaussian tails (large mean reversion, small vol of vol) and the slow exponential ones of a Feller ratio near 0.

Source: Boyarchenko & Levendorskii (2019), Sinh-acceleration: efficient evaluation of probability distributions, option
pricing, and Monte Carlo simulations, IJTAF 22(3); the choice of b, w and the reach is fitted to Heston's model over
maturities of a day to 30 years (tests/pricing/fourier).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from quantjax.numerics.fusion import in_one_loop
from quantjax.numerics.split_complex import SplitComplex, split

__all__ = ["Contours", "find_contours"]

Value = Float[jax.Array, "*batch"]

# The characteristic function is looked at where it has fallen by exp(-_PROBE), and followed until exp(-_REACH).
_PROBE, _REACH = 36.0, 28.0
# The scale b: at most so many standard deviations' reciprocals, and so many times the frequency at which a Gaussian
# decay turns into an exponential one.
_GAUSSIAN_SCALE, _EXPONENTIAL_SCALE = 2.0, 1.4
# The tilt w: for Gaussian decay, for exponential decay, and the ratio of the two at which it is halfway.
_GAUSSIAN_TILT, _EXPONENTIAL_TILT, _TURN = 0.25, 0.42, 3.0
# The tilt of a strike's own contour: so much of the angle at which its integrand does not oscillate, up to a limit.
_OWN_TILT, _OWN_LIMIT = 0.3, 0.4
# The most that e^(-i z k) may turn between the first two nodes, in radians.
_TURN_OF_NODES = 2.0
# Total variance below which a contour is as for this one.
_SMALLEST_VARIANCE = 1e-14


class Contours(eqx.Module):
    """For each maturity: `total_variance` of the Black control, `centre` x*, how far from it log-moneynesses may lie
    that the nodes resolve (`furthest`), and b (`scale`), w (`tilt`), distance of nodes in y (`spacing`) of its two
    contours. Constants: prices do not depend on them, so neither do derivatives."""

    total_variance: Value
    centre: Value
    furthest: Value
    scale: Value
    tilt: Value
    spacing: Value

    def nodes(self, node, sides) -> tuple[SplitComplex, SplitComplex, jax.Array]:
        """z, z'(y) times the weight, and Im z + 1/2, at the node of number `node`.

        `sides`: +1 for strikes above x*, -1 for those below. Broadcasting over the contours, nodes and sides.
        """
        rise = in_one_loop(jnp.exp(self.spacing * node))
        fall = in_one_loop(1 / rise)
        weight = self.spacing * jnp.where(node == 0, 0.5, 1.0)
        sinh, cosh = 0.5 * (rise - fall), 0.5 * (rise + fall)
        tilt = -sides * self.tilt
        across, up = self.scale * jnp.cos(tilt), self.scale * jnp.sin(tilt)
        lift = up * (cosh - 1)
        return (
            SplitComplex(across * sinh, lift - 0.5),
            SplitComplex(weight * across * cosh, weight * up * sinh),
            lift,
        )


def find_contours(model, maturities: Value, num_nodes: int, log_moneyness: Value | None = None) -> Contours:
    """The contours for a model's `log_cf` at maturities `[...]`: two for all strikes, or one for each `log_moneyness`.

    A strike's own contour is the one of `sides` +1.
    """
    model, maturities, log_moneyness = jax.lax.stop_gradient((model, maturities, log_moneyness))

    def log_cf(u: Value) -> SplitComplex:
        return split(model.log_cf(jax.lax.complex(u, jnp.full_like(u, -0.5)), maturities))

    total_variance = -8 * log_cf(jnp.zeros_like(maturities)).re
    safe = jnp.maximum(total_variance, _SMALLEST_VARIANCE)
    # Where a Gaussian would have fallen far enough, and where it has if it goes on as an exponential.
    near = jnp.sqrt(2 * _PROBE / safe)
    at_near = -log_cf(near).re
    # Without variance nothing falls, and there is nothing to integrate: any contour does.
    still = ~(at_near > 0)
    at_near = jnp.where(still, _PROBE, at_near)
    far = near * jnp.maximum(_PROBE / at_near, 1.001)
    at_far = log_cf(far)
    at_far = SplitComplex(jnp.where(still, -1.001 * _PROBE, at_far.re), at_far.im)
    # |ln phi| grows like a power of u between 1 and 2: interpolate it there.
    power = jnp.clip(jnp.log(-at_far.re / at_near) / jnp.log(far / near), 0.8, 2.0)
    end = near * (_REACH / at_near) ** (1 / power)
    # Far out ln phi(u) is about -(decay - i centre) u.
    decay, centre = -at_far.re / far, at_far.im / far
    speed = jnp.sqrt(decay**2 + centre**2)
    scale = jnp.minimum(_GAUSSIAN_SCALE / jnp.sqrt(safe), _EXPONENTIAL_SCALE * speed / safe)
    # Further out, e^(-i z k) turns too far from the first node to the second.
    furthest = _TURN_OF_NODES * (num_nodes - 0.5) / (scale * jnp.arcsinh(end / scale))
    if log_moneyness is None:
        gaussian = 2 * speed**2 / safe
        tilt = _EXPONENTIAL_TILT + (_GAUSSIAN_TILT - _EXPONENTIAL_TILT) * gaussian / (gaussian + _TURN)
        end = end / jnp.cos(tilt) ** 2
    else:
        offset = jnp.clip(log_moneyness - centre, -furthest, furthest)
        tilt = jnp.clip(_OWN_TILT * jnp.arctan2(offset, decay), -_OWN_LIMIT, _OWN_LIMIT)
        # Along its own contour an exponential tail falls faster; a Gaussian one does not care.
        gain = jnp.maximum(jnp.cos(tilt) + offset / decay * jnp.sin(tilt), 1.0)
        end = end / (jnp.cos(tilt) * gain ** jnp.clip(2 - power, 0.0, 1.0))
    spacing = jnp.arcsinh(end / scale) / (num_nodes - 0.5)
    return Contours(total_variance, centre, furthest, scale, tilt, spacing)
