"""The Monte Carlo engine: any payoffs of any model that simulates, in chunks of paths."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Bool, Float

from quantjax.numerics.arguments import as_floating, holds, whole_number
from quantjax.pricing.monte_carlo.control_variates import ControlVariate, SpotControl
from quantjax.pricing.monte_carlo.draws import Draws, PseudoRandom
from quantjax.pricing.monte_carlo.moments import Moments, controlled_mean, merged, moments, no_moments
from quantjax.pricing.monte_carlo.payoffs import European, payment
from quantjax.pricing.monte_carlo.stepping import check_times

__all__ = ["MonteCarlo", "MonteCarloResult", "simulate_price"]


class MonteCarlo(eqx.Module):
    """How many paths, from which draws, and what is done against their noise.

    `num_paths`: at least so many, for they are simulated in equal chunks of `chunk_paths` at most: 16,384 keep the
    state of a step in a core's cache, a GPU wants a million; memory does not grow with `num_paths`. `draws`:
    `PseudoRandom(antithetic=...)` or `Sobol(scramblings, bridge)`, which takes powers of two for the paths of each
    scrambling and for a chunk. `control_variates`: `SpotControl()`, `ControlVariate(payoff, expectation)`; their
    coefficients are fitted to the paths themselves: take hundreds of paths a control, with fewer the standard error is
    too small. `conditional=True`: payments are expectations given the path of the variance (Romano and Touzi): less
    noise, half the random numbers, derivatives of any order; for payoffs that know theirs, European and Digital.

    >>> MonteCarlo(num_paths=1 << 20, draws=PseudoRandom(antithetic=True)).num_chunks
    64
    """

    traceable: ClassVar[bool] = False  # its steps depend on the maturities

    num_paths: int = eqx.field(static=True, default=1 << 17)
    chunk_paths: int = eqx.field(static=True, default=1 << 14)
    draws: Draws = PseudoRandom()
    control_variates: tuple[ControlVariate | SpotControl, ...] = ()
    conditional: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        whole_number(self.num_paths, "num_paths")
        whole_number(self.chunk_paths, "chunk_paths", 2)
        self.draws.check(self.paths_per_chunk, self.num_chunks)

    @property
    def num_chunks(self) -> int:
        """Chunks of each replicate."""
        return -(-self.num_paths // (self.draws.replicates * self.chunk_paths))

    @property
    def paths_per_chunk(self) -> int:
        """Paths of a chunk: all chunks have as many."""
        paths = -(-self.num_paths // (self.draws.replicates * self.num_chunks))
        return -(-paths // self.draws.group) * self.draws.group

    @property
    def total_paths(self) -> int:
        """The paths that are simulated, `num_paths` or a few more."""
        return self.paths_per_chunk * self.num_chunks * self.draws.replicates

    def normalised_price(
        self,
        model,
        log_moneyness: Float[jax.Array, "maturity strike"],
        maturities: Float[jax.Array, " maturity"],
        call: Bool[jax.Array, "maturity strike"],
        *,
        key: jax.Array | None = None,
    ) -> Float[jax.Array, "maturity strike"]:
        """E (S/F - K/F)^+ or E (K/F - S/F)^+: what `pricing.price` asks of an engine, all from the same paths.

        Maturities in any order. Under `jax.jit` they are traced, and the scheme must have `substeps`. Raises ValueError
        without a `key`.
        """
        if key is None:
            raise ValueError("expected key=jax.random.key(...) for a Monte Carlo engine, got None")
        if isinstance(maturities, Tracer):
            order = jnp.argsort(maturities)
            payoffs = [European(jnp.exp(log_moneyness[row]), call[row], at) for at, row in enumerate(order)]
            found = simulate_price(model, payoffs, maturities[order], engine=self, key=key).price
            return jnp.stack(found)[jnp.argsort(order)]
        times, rows = np.unique(np.asarray(maturities), return_inverse=True)
        payoffs = [European(jnp.exp(log_moneyness[row]), call[row], int(at)) for row, at in enumerate(rows)]
        return jnp.stack(simulate_price(model, payoffs, times, engine=self, key=key).price)


class MonteCarloResult(eqx.Module):
    """Prices and their standard errors, of the payoffs' structure, each `[...]` as its payoff's strike.

    `num_paths`: the paths that were simulated. `price` differentiates; `std_error` is a constant.
    """

    price: Any
    std_error: Any
    num_paths: int = eqx.field(static=True)


def simulate_price(
    model,
    payoffs: Any,
    times,
    *,
    spot: ArrayLike = 1.0,
    forward: ArrayLike | None = None,
    discount: ArrayLike = 1.0,
    engine: MonteCarlo | None = None,
    key: jax.Array,
) -> MonteCarloResult:
    """Prices of payoffs on whole paths: the mean of discount x payment, all payoffs from the same paths in one pass.

    `model`: anything with `simulate(times, num_paths, *, key)` that gives `Paths`, and takes `draws` where others than
    plain `PseudoRandom()` are asked for; `payoffs`: one payoff (`European`, `Digital`, `Asian`, `Barrier`,
    `VarianceSwap`, or a function of `Paths` to payments `[..., path]`) or a dict, list or tuple of them; `times`
    `[time]`: years, increasing from above 0, where the payoffs look; `spot`: S_0; `forward`: F_t, one number or
    `[time]`, `spot` by default (`pricing.forward_curve` makes one); `discount`: to the payment, one number or `[time]`.

    Returns `MonteCarloResult`; its dtype is that of the model. Differentiable in model, spot, forward, discount and
    strikes: pathwise, so payoffs that jump need a smoothing (`Digital`). Raises ValueError for times, shapes and
    numbers of paths that do not fit and for a spot, forward or discount known to be out of range (NaN where only
    computing tells), TypeError for a model that does not simulate. Per item. Source: Glasserman (2003),
    Monte Carlo methods in financial engineering.

    >>> from quantjax.pricing import Heston
    >>> from quantjax.pricing.monte_carlo.payoffs import European
    >>> model = Heston(0.04, 1.5, 0.04, 0.5, -0.7)
    >>> found = simulate_price(model, European(100.0), [1.0], spot=100.0, key=jax.random.key(1))
    >>> abs(float(found.price) - 7.0) < 0.2, found.num_paths
    (True, 131072)
    """
    engine = MonteCarlo() if engine is None else engine
    needed = "simulate_conditional" if engine.conditional else "simulate"
    if not hasattr(model, needed):
        raise TypeError(f"expected a model with {needed}(times, num_paths, *, key), got {type(model).__name__}")
    times = check_times(times)
    known = tuple(times.tolist()) if isinstance(times, np.ndarray) else None
    spot, discount = as_floating(spot, "spot"), as_floating(discount, "discount")
    forward = spot if forward is None else as_floating(forward, "forward")
    if spot.shape:
        raise ValueError(f"expected spot as one number, got {list(spot.shape)}; use jax.vmap for many")
    for name, value in (("forward", forward), ("discount", discount)):
        if value.shape not in ((), times.shape):
            raise ValueError(f"expected {name} as one number or [time] = {list(times.shape)}, got {list(value.shape)}")
    for name, value in (("spot", spot), ("forward", forward)):
        if not holds(lambda x: x > 0, value):
            raise ValueError(f"expected {name} > 0, got {value}")
    if not holds(lambda d: d >= 0, discount):
        raise ValueError(f"expected discount >= 0, got {discount}")
    price, std_error = _estimate(model, payoffs, known, None if known else times, spot, forward, discount, engine, key)
    return MonteCarloResult(price, std_error, engine.total_paths)


@eqx.filter_jit
def _estimate(model, payoffs, known, traced, spot, forward, discount, engine: MonteCarlo, key):
    times = traced if known is None else np.array(known)
    simulate = getattr(model, "simulate_conditional" if engine.conditional else "simulate")
    dtype = jnp.result_type(*jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)))
    payoffs, control_variates, curve, discounts = jax.tree.map(
        lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf,
        (
            payoffs,
            engine.control_variates,
            jnp.broadcast_to(forward, times.shape),
            jnp.broadcast_to(discount, times.shape),
        ),
    )
    leaves, structure = jax.tree.flatten(payoffs, is_leaf=callable)
    num_paths, averaged = engine.paths_per_chunk, engine.draws.averaged

    def sample(replicate, chunk):
        """Moments of each payoff over a chunk."""
        own_key, draws = engine.draws.chunk(key, replicate, chunk, num_paths)
        plain = isinstance(draws, PseudoRandom) and not draws.antithetic
        drawn = {} if plain else {"draws": draws}
        paths = simulate(times, num_paths, key=own_key, **drawn).scaled(spot, curve)
        controls = [jnp.zeros((0, num_paths), dtype), *(control.values(paths) for control in control_variates)]
        controls = averaged(jnp.concatenate(controls))
        payments = [discounts[getattr(payoff, "at", -1)] * payment(payoff, paths) for payoff in leaves]
        return [moments(averaged(paid.astype(dtype)), controls) for paid in payments]

    like = jax.eval_shape(sample, jnp.uint32(0), jnp.uint32(0))

    def accumulate(replicate):
        # Checkpointed: backwards the chunk is simulated again, or all chunks would have to be kept.
        @jax.checkpoint
        def add(running, chunk):
            new = sample(replicate, chunk)
            return [merged(old, one, chunk) for old, one in zip(running, new, strict=True)], None

        empty = [no_moments(one) for one in like]
        return jax.lax.scan(add, empty, jnp.arange(engine.num_chunks, dtype=jnp.uint32))[0]

    found = jax.lax.map(accumulate, jnp.arange(engine.draws.replicates, dtype=jnp.uint32))
    estimates = [_estimated(one, engine) for one in found]
    return tuple(jax.tree.unflatten(structure, column) for column in zip(*estimates, strict=True))


def _estimated(found: Moments, engine: MonteCarlo) -> tuple[jax.Array, jax.Array]:
    """Price and standard error from the moments of all replicates, `[replicate, ...]` each."""
    whole = jax.tree.map(lambda leaf: leaf.mean(0), found)
    price, variance, coefficients = controlled_mean(whole)
    replicates = engine.draws.replicates
    if replicates == 1:
        freedom = engine.total_paths // engine.draws.group - 1 - len(whole.control_mean)
        error = jnp.sqrt(variance / freedom) if freedom > 0 else jnp.full_like(variance, jnp.nan)
    else:
        means = found.mean - jnp.einsum("...k,rk->r...", coefficients, found.control_mean, precision="highest")
        error = jnp.sqrt(means.var(0, ddof=1) / replicates)
    return price, jax.lax.stop_gradient(error)
