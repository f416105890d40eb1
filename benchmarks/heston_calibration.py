"""Workload: Heston calibrated to one surface of 120 options, and to a hundred of them, from one start each.

The quotes are implied vols without noise of random models, 8 maturities x 15 strikes, so that every method has the same
end, the true parameters, which is what must agree before anything is timed. Cases: `calibrate` under `jax.jit`; a
hundred surfaces by `jax.lax.map` in small batches; scipy's least squares over a pricer that numba compiled (two
threads), and over one in numpy; QuantLib where it is installed. Compilation is apart.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import Case, Timing, time_cases, write_results
from benchmarks.peers.heston_calibration import numba_prices, numpy_prices, quantlib_calibrate, scipy_calibrate
from quantjax.pricing import Heston, Lewis, OptionQuotes, calibrate, price

__all__ = ["main"]

NAMES = ("v0", "kappa", "theta", "xi", "rho")
TRUTH, START = (0.04, 1.5, 0.05, 0.6, -0.7), (0.06, 1.0, 0.06, 0.3, -0.3)
# Whole days, which QuantLib asks for.
MATURITIES = np.array([30, 61, 91, 182, 274, 365, 548, 730]) / 365
SURFACES, BATCH, STRIKES = 100, 8, 15
LOWER, UPPER = (0.02, 0.8, 0.02, 0.3, -0.85), (0.12, 4.0, 0.12, 0.9, -0.2)
AGREEMENT = 1e-4  # of a parameter, relative
TARGETS_MS = {"one surface": 7.0, "a hundred surfaces": 400.0}
WHY = (
    "A calibration is some seven evaluations of the prices with their five exact derivatives. A batch goes on until "
    "its slowest surface has converged, which is why the hundred go in batches of eight."
)


def main(path: Path, *, repeats: int = 9, say: Callable[[str], None] = print) -> None:
    """Run all cases and write the JSON."""
    draw = np.random.default_rng(0)
    parameters = draw.uniform(LOWER, UPPER, (SURFACES, 5))
    starts = draw.uniform(LOWER, UPPER, (SURFACES, 5))
    parameters[0], starts[0] = TRUTH, START
    quotes = jax.block_until_ready(jax.jit(jax.vmap(_quotes))(jnp.asarray(parameters)))
    surfaces = [_surface(jax.tree.map(lambda leaf, i=i: leaf[i], quotes)) for i in range(SURFACES)]
    one, many = _ours(quotes, starts, None)
    one_finer, many_finer = _ours(quotes, starts, Lewis(nodes=48))
    methods: dict[str, tuple[Callable[[int], np.ndarray], str]] = {
        "scipy over numba": (lambda i: scipy_calibrate(numba_prices, surfaces[i], starts[i]), "64 nodes, two threads"),
        "scipy over numpy": (lambda i: scipy_calibrate(numpy_prices, surfaces[i], starts[i]), "64 nodes"),
    }
    skipped = {}
    try:
        import QuantLib  # noqa: F401  # pyright: ignore[reportMissingImports]

        methods["QuantLib"] = (lambda i: quantlib_calibrate(surfaces[i], starts[i]), "96 nodes, its own differences")
    except ImportError as error:
        skipped["QuantLib"] = f"not installed: {error}"
        say(f"QuantLib skipped: {error}")

    errors = {"quantjax": _error(one(), TRUTH), "quantjax 48 nodes": _error(one_finer(), TRUTH)} | {
        name: _error(run(0), TRUTH) for name, (run, _) in methods.items()
    }
    recovered = {"quantjax": int((_error(many(), parameters) < AGREEMENT).sum())}
    recovered["quantjax 48 nodes"] = int((_error(many_finer(), parameters) < AGREEMENT).sum())
    recovered["scipy over numba"] = sum(
        bool(_error(methods["scipy over numba"][0](i), parameters[i]) < AGREEMENT) for i in range(SURFACES)
    )
    say(f"errors of the parameters: {errors}; recovered of {SURFACES}: {recovered}")
    if bad := {name for name, error in errors.items() if not error < AGREEMENT}:
        raise AssertionError(f"parameters were not found by {', '.join(sorted(bad))}: {errors}")

    cases = [
        Case("quantjax one surface", one, "jit, the defaults: Lewis(32), Levenberg-Marquardt"),
        Case("quantjax 48 nodes one surface", one_finer, "jit, Lewis(48)"),
    ]
    cases += [Case(f"{name} one surface", lambda run=run: run(0), note) for name, (run, note) in methods.items()]
    cases += [
        Case("quantjax a hundred surfaces", many, f"jax.lax.map, batches of {BATCH}"),
        Case("quantjax 48 nodes a hundred surfaces", many_finer, "the same with Lewis(48)"),
        Case("scipy over numba a hundred surfaces", lambda: _loop(methods["scipy over numba"][0]), "a loop in Python"),
    ]
    timings = time_cases(cases, repeats=repeats, say=say)
    write_results(
        path,
        "heston_calibration",
        timings,
        options=len(MATURITIES) * STRIKES,
        surfaces=SURFACES,
        largest_parameter_error=errors,
        recovered=recovered,
        skipped=skipped,
        summary=_summary(timings),
        why=WHY,
    )


def _quotes(parameters) -> OptionQuotes:
    v0, kappa, theta, xi, rho = parameters
    model = Heston(v0, kappa, theta, xi, rho)
    maturities = jnp.asarray(MATURITIES)
    deviation = jnp.sqrt(model.total_variance(maturities))
    strikes = jnp.exp(jnp.linspace(-2, 2, STRIKES) * deviation[:, None])
    prices = price(model, strikes, maturities, forward=1.0, call=strikes >= 1, engine=Lewis(96))
    return OptionQuotes.from_prices(strikes, maturities, prices, forward=1.0, call=strikes >= 1)


def _surface(quotes: OptionQuotes) -> tuple[np.ndarray, ...]:
    return tuple(
        np.ascontiguousarray(array) for array in (quotes.log_moneyness, quotes.maturities, quotes.calls, quotes.vols)
    )


def _ours(
    quotes: OptionQuotes, starts: np.ndarray, engine: Lewis | None
) -> tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]:
    """One surface, and all of them; each gives parameters `[..., 5]`."""

    def found(start: Heston, quotes: OptionQuotes) -> Heston:
        return calibrate(start, quotes, engine=engine).model

    v0, kappa, theta, xi, rho = map(jnp.asarray, starts.T)
    models = Heston(v0, kappa, theta, xi, rho)
    first = jax.tree.map(lambda leaf: leaf[0], (models, quotes))
    one = jax.jit(found)
    many = jax.jit(lambda models, quotes: jax.lax.map(lambda pair: found(*pair), (models, quotes), batch_size=BATCH))
    return lambda: _parameters(one(*first)), lambda: _parameters(many(models, quotes))


def _parameters(model: Heston) -> np.ndarray:
    return np.stack([np.asarray(getattr(model, name)) for name in NAMES], -1)


def _error(found: np.ndarray, truth) -> Any:
    return np.abs(found / np.asarray(truth) - 1).max(-1)


def _loop(run: Callable[[int], np.ndarray]) -> list[np.ndarray]:
    return [run(i) for i in range(SURFACES)]


def _summary(timings: list[Timing]) -> dict[str, Any]:
    """The figures one asks for first."""
    times = {timing.name: timing for timing in timings}
    return {
        what: {
            "median_ms": times[f"quantjax {what}"].median_ms,
            "target_ms": target,
            "target_met": times[f"quantjax {what}"].median_ms < target,
            "times": {
                name.removesuffix(f" {what}"): ratio
                for name, ratio in times[f"quantjax {what}"].ratios.items()
                if name.endswith(what)
            },
        }
        for what, target in TARGETS_MS.items()
    }
