"""Workload: a European call under Heston's model by QE-M, 131,072 paths x 64 steps.

Cases, for float64 and float32: `simulate_price` with pseudo-random draws, antithetic (a case of its own: half of the
paths have the numbers of the other half) and conditional on the variance; the floors, which are the random numbers
alone and `jax.random.normal` alone, two a step; beside them numpy in blocks that fit the cache, a fused numba loop on
all threads, and QuantLib where it is installed (one thread; its engine is compiled, so nothing loops in Python).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import Case, Timing, time_cases, write_results
from benchmarks.peers import heston_monte_carlo as peers
from quantjax import pricing

__all__ = ["main"]

NUM_PATHS, STEPS, SEED = 1 << 17, 64, 7
# A. Lewis's set: S = K = 100, T = 1, r = 0.01, q = 0.02.
SETTING: peers.Setting = {
    "v0": 0.04,
    "kappa": 4.0,
    "theta": 0.25,
    "xi": 1.0,
    "rho": -0.5,
    "spot": 100.0,
    "strike": 100.0,
    "maturity": 1.0,
    "forward": 100.0 * math.exp(-0.01),
    "discount": math.exp(-0.01),
}
PARAMETERS = ("v0", "kappa", "theta", "xi", "rho")
BIAS = 0.002  # of QE-M at 64 steps, at most: docs/heston_bias.md
TARGETS = {"float64": 30.0, "float32": 45.0}
ENGINES = {
    "quantjax": pricing.MonteCarlo(NUM_PATHS),
    "quantjax antithetic": pricing.MonteCarlo(NUM_PATHS, draws=pricing.PseudoRandom(antithetic=True)),
    "quantjax conditional": pricing.MonteCarlo(NUM_PATHS, conditional=True),
}
WHY = (
    "Normals are not what a step costs here: Threefry and Box-Muller written as plain arithmetic fuse into the loop of "
    "the step, where jax.random.normal is a computation of its own, two of which a step take longer than the whole "
    "step does."
)


def main(path: Path, *, repeats: int = 15, say: Callable[[str], None] = print) -> None:
    """Check every price against Fourier's, run all cases and write the JSON."""
    timings: list[Timing] = []
    summary: dict[str, Any] = {}
    for dtype in (np.float64, np.float32):
        name = np.dtype(dtype).name
        say(f"{name}: {NUM_PATHS:,} paths x {STEPS} steps")
        cases, skipped = _cases(dtype, name)
        for case in cases:
            _check(case)
        measured = time_cases(cases, repeats=repeats, say=say)
        timings += measured
        summary[name] = _summary(measured, name) | {"skipped": skipped}
        say("   ".join(f"{key}: {value}" for key, value in summary[name].items()))
    facts = {"paths": NUM_PATHS, "steps": STEPS, "unit": "million path-steps a second", "targets": TARGETS}
    write_results(path, "heston_monte_carlo", timings, **facts, summary=summary, why=WHY)


def _cases(dtype, name: str) -> tuple[list[Case], dict[str, str]]:
    scheme = pricing.QuadraticExponential(steps_per_year=STEPS)
    v0, kappa, theta, xi, rho = (dtype(SETTING[key]) for key in PARAMETERS)
    model = pricing.Heston(v0, kappa, theta, xi, rho, scheme)
    payoff = pricing.European(dtype(SETTING["strike"]))
    spot, forward, discount = (dtype(SETTING[key]) for key in ("spot", "forward", "discount"))
    key = jax.random.key(SEED)

    def ours(engine: pricing.MonteCarlo) -> Callable[[], tuple[float, float]]:
        def run():
            found = pricing.simulate_price(
                model,
                payoff,
                [SETTING["maturity"]],
                spot=spot,
                forward=forward,
                discount=discount,
                engine=engine,
                key=key,
            )
            return float(found.price), float(found.std_error)

        return run

    cases = [Case(f"{label} {name}", ours(engine), "simulate_price") for label, engine in ENGINES.items()]
    cases += [Case(f"floor: {label} {name}", run, "no payoff, no step") for label, run in _floors(dtype).items()]
    if dtype is np.float32:
        return cases, {"numpy, numba, QuantLib": "float64 only"}
    cases.append(Case(f"numpy {name}", lambda: peers.numpy_price(SETTING, NUM_PATHS, STEPS, seed=SEED), "SFC64"))
    skipped = {}
    for label, make, note in (
        ("numba", lambda: peers.numba_price(SETTING, NUM_PATHS, STEPS), "all threads, Mersenne twister"),
        ("QuantLib", lambda: peers.quantlib_price(SETTING, NUM_PATHS, STEPS, seed=SEED), "one thread"),
    ):
        try:
            cases.append(Case(f"{label} {name}", make(), note))
        except ImportError as error:
            skipped[label] = str(error)
    return cases, skipped


def _floors(dtype) -> dict[str, Callable[[], Any]]:
    """As many normals as the paths take, summed, in chunks as the engine has them: ours and JAX's."""
    chunk = ENGINES["quantjax"].paths_per_chunk
    draws, sizes = pricing.PseudoRandom(), jnp.ones(STEPS, dtype)

    def summed(make: Callable[[jax.Array], jax.Array]) -> Callable[[], Any]:
        total = jax.jit(lambda: jax.lax.map(make, jnp.arange(NUM_PATHS // chunk)).sum())
        return lambda: jax.block_until_ready(total())

    def own(number):
        rows, normals = draws.prepare(jax.random.key(number), sizes, 2, chunk, dtype)
        add = jnp.zeros(chunk, dtype)
        return jax.lax.scan(lambda total, row: (total + sum(normals(row)), None), add, rows)[0].sum()

    def jax_normal(number):
        keys = jax.random.split(jax.random.key(number), STEPS)
        add = jnp.zeros((2, chunk), dtype)
        return jax.lax.scan(lambda total, key: (total + jax.random.normal(key, (2, chunk), dtype), None), add, keys)[
            0
        ].sum()

    return {"random numbers": summed(own), "jax.random.normal": summed(jax_normal)}


def _check(case: Case) -> None:
    """Raise where a price is not Fourier's within four standard errors and the scheme's bias."""
    if case.name.startswith("floor"):
        return
    v0, kappa, theta, xi, rho = (SETTING[key] for key in PARAMETERS)
    exact = float(
        pricing.price(
            pricing.Heston(v0, kappa, theta, xi, rho),
            SETTING["strike"],
            SETTING["maturity"],
            forward=SETTING["forward"],
            discount=SETTING["discount"],
        )
    )
    price, error = case.run()
    if not abs(price - exact) < 4 * error + BIAS:
        raise AssertionError(f"expected {exact:.5f} within 4 x {error:.5f}, got {price:.5f} from {case.name}")


def _summary(timings: list[Timing], dtype: str) -> dict[str, Any]:
    """Million path-steps a second, and how that compares."""
    rates = {
        timing.name.removesuffix(f" {dtype}"): round(NUM_PATHS * STEPS / timing.median_ms / 1e3, 1)
        for timing in timings
    }
    own = next(timing for timing in timings if timing.name == f"quantjax {dtype}")
    times = {
        f"times_{other}": own.ratios[f"{other} {dtype}"] for other in ("numpy", "numba", "QuantLib") if other in rates
    }
    return {"million_path_steps_a_second": rates, **times, "target_met": rates["quantjax"] >= TARGETS[dtype]}
