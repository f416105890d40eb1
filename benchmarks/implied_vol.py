"""Workload: Black's implied volatility of 1,000,000 options, an ordinary set and an extreme one.

Cases, for float64 and float32: `implied_vol` on arrays that lie on the device; Jaeckel's "Let's be rational" as a numba
loop on all threads; numpy with scipy's erfcx in blocks that fit the cache, by the same start and steps; optional peers,
by name, where they are installed. Beside the speed of each its relative error against 30 digits, on a part of the set.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import erfcx

from benchmarks.harness import Case, Timing, disagreements, time_cases, write_results
from benchmarks.option_quotes import OptionQuoteSet, extreme_quotes, regular_quotes
from benchmarks.peers.implied_vol_numba import implied_vol as numba_vol
from quantjax.numerics.polynomials import horner
from quantjax.pricing import implied_vol
from quantjax.pricing.householder import START_P, START_Q, START_SCALE
from quantjax.pricing.implied_vol import LOWER_START, UPPER_START
from tests.reference.black import exact_vols, relative_errors

__all__ = ["main"]

COUNT = 1_000_000
EXACT = 4_000  # quotes whose errors are measured
SCALAR = 10_000  # quotes given to peers that take one at a time
BLOCK = 4_096
SETS = {"regular": regular_quotes, "extreme": extreme_quotes}
# Agreement with the numba loop, relative: what it errs by itself where a price is near its bound.
AGREEMENT = {np.float64: 1e-11, np.float32: 1e-3}
WHY = (
    "One loop without branches, some nine hundred instructions for four options: XLA's CPU backend takes vectors of "
    "256 bits, and as each step waits for the one before, the arithmetic units are busy a third of the time. The numba "
    "loop is scalar and branches. On a GPU the same code runs in float64; none was at hand to measure it."
)


def main(path: Path, *, repeats: int = 15, say: Callable[[str], None] = print) -> None:
    """Run all cases and write the JSON."""
    timings: list[Timing] = []
    summary: dict[str, Any] = {}
    accuracy: dict[str, Any] = {}
    for kind, make in SETS.items():
        for dtype in (np.float64, np.float32):
            name = f"{kind} {np.dtype(dtype).name}"
            say(f"{name}: {COUNT:,} options")
            quotes = make(COUNT, dtype=dtype)
            methods = _methods(quotes, dtype)
            accuracy[name] = _accuracy(methods, quotes, dtype, say)
            cases = [Case(f"{method} {name}", run, note) for method, (run, _, note) in methods.items()]
            measured = time_cases(cases, repeats=repeats, say=say)
            timings += measured
            summary[name] = _summary(measured, methods, name)
            say("   ".join(f"{key}: {value}" for key, value in summary[name].items()))
    won = all(row["times_numba"] >= 1 for row in summary.values())
    facts = {"options": COUNT, "options_of_the_accuracy": EXACT, "accuracy": accuracy, "summary": summary}
    write_results(path, "implied_vol", timings, **facts, faster_than_numba=won, why=WHY)


Method = tuple[Callable[[], Any], int, str]


def _methods(quotes: OptionQuoteSet, dtype: type) -> dict[str, Method]:
    """By name: a call that gives the vols of the first quotes, their number, and a note."""
    columns = (quotes.price, quotes.forward, quotes.strike, quotes.maturity)
    on_device = [jnp.asarray(array) for array in (*columns, np.ones((), dtype), quotes.call)]
    solve = jax.jit(implied_vol)
    methods: dict[str, Method] = {
        "quantjax": (lambda: solve(*on_device).block_until_ready(), COUNT, "on the device, warm"),
        "numba": (lambda: numba_vol(*columns, 1.0, quotes.call), COUNT, "Let's be rational, all threads"),
        "numpy": (lambda: _numpy_vols(*columns, quotes.call), COUNT, "same start and steps, scipy's erfcx, blocks"),
    }
    if dtype == np.float64:
        for name, make in {"fast-vollib": _fast_vollib, "QuantLib": _quantlib}.items():
            try:
                methods[name] = make(quotes)
            except ImportError as error:
                print(f"{name} left out: {error}")
    return methods


def _fast_vollib(quotes: OptionQuoteSet) -> Method:
    solve = import_module("fast_vollib.jackel.jackel_iv").jackel_iv_black
    columns = (quotes.price, quotes.forward, quotes.strike, quotes.maturity, quotes.call)
    return lambda: solve(*columns), COUNT, "fast_vollib.jackel.jackel_iv_black: numpy and numba"


def _quantlib(quotes: OptionQuoteSet) -> Method:
    ql = import_module("QuantLib")
    kinds = [ql.Option.Call if call else ql.Option.Put for call in quotes.call[:SCALAR].tolist()]
    columns = (quotes.strike, quotes.forward, quotes.price)
    rows = list(zip(kinds, *(column[:SCALAR].tolist() for column in columns), strict=True))
    root = np.sqrt(quotes.maturity[:SCALAR])

    def run() -> np.ndarray:
        solve = ql.blackFormulaImpliedStdDevLiRS
        deviations = [_or_nan(solve, *row, 1.0, 0.0, ql.nullDouble(), 1.0, 1e-14, 100) for row in rows]
        return np.array(deviations) / root

    return run, SCALAR, "blackFormulaImpliedStdDevLiRS, accuracy 1e-14, a Python loop over scalars"


def _or_nan(solve: Callable[..., float], *row: Any) -> float:
    try:
        return solve(*row)
    except RuntimeError:
        return float("nan")


def _numpy_vols(price, forward, strike, maturity, call) -> np.ndarray:
    out = np.empty_like(price)
    for start in range(0, len(out), BLOCK):
        rows = slice(start, start + BLOCK)
        with np.errstate(all="ignore"):
            out[rows] = _numpy_block(price[rows], forward[rows], strike[rows], maturity[rows], call[rows])
    return out


def _numpy_block(price, forward, strike, maturity, call) -> np.ndarray:
    """The steps of `quantjax.pricing.implied_vol`, differences of Mills ratios taken plainly."""
    bound = np.minimum(forward, strike)
    time_value = price - np.maximum(np.where(call, forward - strike, strike - forward), 0)
    room = np.where(call, forward, strike) - price
    upper = time_value > room
    target = np.where(upper, room, time_value) / bound
    y = np.abs(np.log(forward / strike))
    wider = y + 1e-9 * target
    ratio = np.where(upper, 0.5 * target, target / wider + 0.5 * target)
    log = np.log(1 + START_SCALE / ratio)
    a = log * horner(START_P, log) / horner(START_Q, log)
    p, q = 1 / (1 + a), wider / (a + wider)
    upper_z = -a - horner([horner(row, q) for row in UPPER_START], p)
    z = np.where(upper, upper_z, a + q * horner([horner(row, q) for row in LOWER_START], p))
    total = np.abs(z) + np.sqrt(z * z + 2 * wider)
    s = np.where(z > 0, 2 * wider / total, total)
    sign = np.where(upper, -1, 1)
    half, root = np.sqrt(0.5), np.sqrt(np.pi / 2)
    for _ in range(2):
        a, t = y / s, 0.5 * s
        factor = root * (erfcx(half * sign * (a - t)) - sign * erfcx(half * (a + t)))
        excess = np.log(target * np.sqrt(2 * np.pi) / factor) + 0.5 * (a - t) ** 2
        newton, slope = sign * excess * factor, sign / factor
        second = a * a / s - 0.5 * t - slope
        third = second * (second - slope) - 3 * (a / s) ** 2 - 0.25
        s = s + newton * (1 + 0.5 * second * newton) / (1 + newton * (second + third * newton / 6))
    return s / np.sqrt(maturity)


def _accuracy(methods: dict[str, Method], quotes: OptionQuoteSet, dtype: type, say) -> dict[str, Any]:
    """Relative errors of prices that are no subnormal numbers: quantiles of those that are solved, and how many not."""
    kept = np.flatnonzero(quotes.price[:EXACT] > 1e3 * np.finfo(dtype).tiny)
    columns = (quotes.vol, quotes.price, quotes.forward, quotes.strike, quotes.maturity)
    exact = exact_vols(*(column[kept] for column in columns))
    ours, numba = (np.asarray(methods[name][0]()) for name in ("quantjax", "numba"))
    rows = quotes.price > 1e3 * np.finfo(dtype).tiny
    found = disagreements({"vol": ours[rows]}, {"vol": numba[rows]}, relative=AGREEMENT[dtype], absolute=0)
    if found:
        raise AssertionError(f"quantjax and the numba loop disagree, by number of options: {found}")
    result: dict[str, dict[str, float]] = {}
    for name, (run, _, _) in methods.items():
        error = relative_errors(np.asarray(run())[kept], exact)
        solved = error[error < 1e-2]
        quantiles = np.quantile(solved, [0.5, 0.99, 0.999, 1.0])
        result[name] = {"options": len(error), "failed_or_off_by_over_1_percent": len(error) - len(solved)}
        for key, value in zip(("median", "p99", "p99.9", "max"), quantiles, strict=True):
            result[name][key] = float(f"{value:.2e}")
        say(f"  {name:12s} relative error: " + "  ".join(f"{key} {value}" for key, value in result[name].items()))
    return result


def _summary(timings: list[Timing], methods: dict[str, Method], name: str) -> dict[str, Any]:
    """The figures one asks for first."""
    rates = {}
    for timing in timings:
        method = timing.name.removesuffix(f" {name}")
        rates[method] = methods[method][1] / timing.median_ms / 1e3
    ours = rates["quantjax"]
    return {
        **{f"{method}_million_per_second": round(rate, 3) for method, rate in rates.items()},
        **{f"times_{method}": round(ours / rate, 1) for method, rate in rates.items() if method != "quantjax"},
    }
