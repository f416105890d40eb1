"""A European call under Heston by QE-M with numpy, numba and QuantLib: the same scheme, their own random numbers."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from math import exp, log, sqrt
from typing import Any

import numpy as np

__all__ = ["Setting", "numba_price", "numpy_price", "quantlib_price"]

Setting = dict[str, float]
BLOCK = 4096  # paths that numpy takes at once: the state and what a step makes of it fit the cache
MEAN_AND_ERROR = tuple[float, float]


def coefficients(setting: Setting, steps: int) -> tuple[float, ...]:
    """What every path shares, in the notation of Andersen (2008)."""
    kappa, theta, xi, rho = (setting[name] for name in ("kappa", "theta", "xi", "rho"))
    size = setting["maturity"] / steps
    decay = exp(-kappa * size)
    k1 = size / 2 * (kappa * rho / xi - 0.5) - rho / xi
    k2 = size / 2 * (kappa * rho / xi - 0.5) + rho / xi
    k3 = size / 2 * (1 - rho**2)
    slope, level = xi**2 * decay / kappa * (1 - decay), theta * xi**2 / (2 * kappa) * (1 - decay) ** 2
    return decay, theta * (1 - decay), slope, level, k1, k2, k3


def numpy_price(setting: Setting, num_paths: int, steps: int, *, seed: int) -> MEAN_AND_ERROR:
    """Block by block, each branch on the paths that take it."""
    decay, drift, slope, level, k1, k2, k3 = coefficients(setting, steps)
    a = k2 + k3 / 2
    generator = np.random.Generator(np.random.SFC64(seed))
    total = square = 0.0
    for start in range(0, num_paths, BLOCK):
        count = min(BLOCK, num_paths - start)
        v, x = np.full(count, setting["v0"]), np.zeros(count)
        for _ in range(steps):
            mean, spread = drift + v * decay, slope * v + level
            psi = spread / mean**2
            quadratic = psi <= 1.5
            after, k0 = np.empty(count), np.empty(count)
            m, inverse = mean[quadratic], 2 / psi[quadratic]
            b_square = inverse - 1 + np.sqrt(inverse * (inverse - 1))
            scale = m / (1 + b_square)
            after[quadratic] = scale * (np.sqrt(b_square) + generator.standard_normal(len(m))) ** 2
            room = 1 - 2 * a * scale
            k0[quadratic] = 0.5 * np.log(room) - a * b_square * scale / room
            other = ~quadratic
            p = (psi[other] - 1) / (psi[other] + 1)
            beta = (1 - p) / mean[other]
            u = generator.random(len(p))
            after[other] = np.where(u <= p, 0.0, np.log((1 - p) / (1 - u)) / beta)
            k0[other] = -np.log(p + beta * (1 - p) / (beta - a))
            x += k0 - (k1 + k3 / 2) * v + k1 * v + k2 * after
            x += np.sqrt(k3 * (v + after)) * generator.standard_normal(count)
            v = after
        payment = np.maximum(setting["forward"] * np.exp(x) - setting["strike"], 0.0)
        total, square = total + payment.sum(), square + (payment**2).sum()
    return _mean_and_error(total, square, num_paths, setting)


def numba_price(setting: Setting, num_paths: int, steps: int) -> Callable[[], MEAN_AND_ERROR]:
    """A fused loop, path by path on all threads; raises ImportError without numba."""
    from numba import njit, prange

    # Generators are not safe between numba's threads; the legacy functions have a state for each.
    random, standard_normal = np.random.random, np.random.standard_normal

    def sums(v0, forward, strike, decay, drift, slope, level, k1, k2, k3, num_paths, steps):
        a = k2 + k3 / 2
        total = square = 0.0
        for path in prange(num_paths):  # noqa: B007 - numba takes `_` for one variable in both loops
            v, x = v0, 0.0
            for step in range(steps):  # noqa: B007
                mean, spread = drift + v * decay, slope * v + level
                psi = spread / (mean * mean)
                if psi <= 1.5:
                    inverse = 2 / psi
                    b_square = inverse - 1 + sqrt(inverse * (inverse - 1))
                    scale = mean / (1 + b_square)
                    after = scale * (sqrt(b_square) + standard_normal()) ** 2
                    room = 1 - 2 * a * scale
                    k0 = 0.5 * log(room) - a * b_square * scale / room
                else:
                    p = (psi - 1) / (psi + 1)
                    beta = (1 - p) / mean
                    u = random()
                    after = 0.0 if u <= p else log((1 - p) / (1 - u)) / beta
                    k0 = -log(p + beta * (1 - p) / (beta - a))
                x += k0 - 0.5 * k3 * v + k2 * after + sqrt(k3 * (v + after)) * standard_normal()
                v = after
            payment = max(forward * exp(x) - strike, 0.0)
            total += payment
            square += payment * payment
        return total, square

    compiled: Any = njit(parallel=True, fastmath=True)(sums)

    def run() -> MEAN_AND_ERROR:
        start = setting["v0"], setting["forward"], setting["strike"]
        total, square = compiled(*start, *coefficients(setting, steps), num_paths, steps)
        return _mean_and_error(total, square, num_paths, setting)

    return run


def quantlib_price(setting: Setting, num_paths: int, steps: int, *, seed: int) -> Callable[[], MEAN_AND_ERROR]:
    """QuantLib's engine, one thread; raises ImportError without QuantLib."""
    ql = import_module("QuantLib")
    today = ql.Date(1, 1, 2024)
    ql.Settings.instance().evaluationDate = today
    counter = ql.Actual365Fixed()
    rate = -log(setting["discount"]) / setting["maturity"]
    growth = log(setting["forward"] / setting["spot"]) / setting["maturity"]
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, level, counter)) for level in (rate, rate - growth)]
    spot = ql.QuoteHandle(ql.SimpleQuote(setting["spot"]))
    scheme = ql.HestonProcess.QuadraticExponentialMartingale
    parameters = [setting[name] for name in ("v0", "kappa", "theta", "xi", "rho")]
    process = ql.HestonProcess(*curves, spot, *parameters, scheme)
    days = round(365 * setting["maturity"])
    option = ql.VanillaOption(
        ql.PlainVanillaPayoff(ql.Option.Call, setting["strike"]), ql.EuropeanExercise(today + ql.Period(days, ql.Days))
    )

    def run() -> MEAN_AND_ERROR:
        option.setPricingEngine(
            ql.MCEuropeanHestonEngine(process, "PseudoRandom", timeSteps=steps, requiredSamples=num_paths, seed=seed)
        )
        return option.NPV(), option.errorEstimate()

    return run


def _mean_and_error(total: float, square: float, num_paths: int, setting: Setting) -> MEAN_AND_ERROR:
    mean = total / num_paths
    error = sqrt((square / num_paths - mean**2) / (num_paths - 1))
    return setting["discount"] * mean, setting["discount"] * error
