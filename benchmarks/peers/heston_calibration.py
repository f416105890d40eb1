"""Heston calibrated by other tools: scipy's least squares over a pricer in numpy or numba, and QuantLib.

Each takes a surface as `(log_moneyness, maturities, calls, vols)`, numpy arrays, and a start `(v0, kappa, theta, xi,
rho)`, and returns the parameters. scipy (MINPACK's Levenberg-Marquardt) minimises differences of prices over the
market's vega, which are vols to first order, in logarithms and the inverse hyperbolic tangent of rho, with its
differences as Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import leastsq
from scipy.stats import norm

from benchmarks.peers.heston_fourier_numba import gauss_panels, heston_surface

__all__ = ["RULE", "numba_prices", "numpy_prices", "quantlib_calibrate", "scipy_calibrate"]

# 64 nodes: enough for the surfaces of the benchmark, and a third of the time of 160.
RULE = gauss_panels(4, 16, 2.0)


def black(log_moneyness, maturities, calls, vols) -> tuple[np.ndarray, np.ndarray]:
    """Prices and vegas in forwards."""
    deviation = vols * np.sqrt(maturities)[:, None]
    d1 = -log_moneyness / deviation + 0.5 * deviation
    strike, sign = np.exp(log_moneyness), np.where(calls, 1.0, -1.0)
    price = sign * (norm.cdf(sign * d1) - strike * norm.cdf(sign * (d1 - deviation)))
    return price, norm.pdf(d1) * np.sqrt(maturities)[:, None]


def numba_prices(parameters, log_moneyness, maturities, calls) -> np.ndarray:
    """By the fused loop."""
    v0, kappa, theta, xi, rho = parameters
    nodes, weights = RULE
    return heston_surface(v0, kappa, theta, xi, rho, log_moneyness, maturities, calls, nodes, weights)


def numpy_prices(parameters, log_moneyness, maturities, calls) -> np.ndarray:
    """The same integral in numpy, `[maturity, node]` and `[maturity, strike, node]`."""
    v0, kappa, theta, xi, rho = parameters
    t = maturities[:, None]

    def log_cf(u):
        q = u * u + 0.25
        beta = kappa - rho * xi * (1j * u + 0.5)
        d = np.sqrt(beta * beta + xi * xi * q)
        minus = -xi * xi * q / (beta + d)
        g, decay = minus / (beta + d), np.exp(-d * t)
        bottom = 1 - g * decay
        mean = minus * t - 2 * np.log(bottom / (1 - g))
        return (v0 * minus * (1 - decay) / bottom + kappa * theta * mean) / xi**2

    w = -8 * log_cf(np.zeros((1, 1))).real
    end = np.sqrt(68.0 / w)
    while (slow := -log_cf(end).real < 34.0).any():
        end = np.where(slow, 1.25 * end, end)
    u = end * RULE[0]
    q = u * u + 0.25
    values = end * RULE[1] / q * (np.exp(log_cf(u)) - np.exp(-0.5 * w * q))
    wave = np.exp(-1j * u[:, None, :] * log_moneyness[..., None])
    total = (wave * values[:, None, :]).real.sum(-1)
    vols = np.broadcast_to(np.sqrt(w / t), log_moneyness.shape)
    return black(log_moneyness, maturities, calls, vols)[0] - np.exp(0.5 * log_moneyness) / np.pi * total


def scipy_calibrate(prices: Callable[..., np.ndarray], surface, start) -> np.ndarray:
    """By `scipy.optimize.leastsq` over a pricer."""
    log_moneyness, maturities, calls, vols = surface
    market, vega = black(log_moneyness, maturities, calls, vols)
    scale = 100 / vega

    def bounded(free):
        v0, kappa, theta, xi = np.exp(free[:4])
        return v0, kappa, theta, xi, np.tanh(free[4])

    def residuals(free):
        return (scale * (prices(bounded(free), log_moneyness, maturities, calls) - market)).ravel()

    first = np.append(np.log(start[:4]), np.arctanh(start[4]))
    return np.array(bounded(leastsq(residuals, first, xtol=1e-8, ftol=1e-10, gtol=0.0)[0]))


def quantlib_calibrate(surface, start) -> np.ndarray:
    """By QuantLib's helpers and its Levenberg-Marquardt; ImportError where it is missing."""
    import QuantLib as ql  # pyright: ignore[reportMissingImports]

    log_moneyness, maturities, _, vols = surface
    today = ql.Date(15, 6, 2026)
    ql.Settings.instance().evaluationDate = today
    day_count, calendar = ql.Actual365Fixed(), ql.NullCalendar()
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, day_count))
    spot = ql.QuoteHandle(ql.SimpleQuote(1.0))
    v0, kappa, theta, xi, rho = start
    model = ql.HestonModel(ql.HestonProcess(flat, flat, spot, v0, kappa, theta, xi, rho))
    engine = ql.AnalyticHestonEngine(model, 96)
    helpers = []
    for m, maturity in enumerate(maturities):
        period = ql.Period(round(365 * maturity), ql.Days)
        for k, vol in zip(log_moneyness[m], vols[m], strict=True):
            quote = ql.QuoteHandle(ql.SimpleQuote(float(vol)))
            helper = ql.HestonModelHelper(
                period, calendar, 1.0, float(np.exp(k)), quote, flat, flat, ql.BlackCalibrationHelper.ImpliedVolError
            )
            helper.setPricingEngine(engine)
            helpers.append(helper)
    model.calibrate(helpers, ql.LevenbergMarquardt(1e-8, 1e-8, 1e-8), ql.EndCriteria(400, 40, 1e-8, 1e-8, 1e-8))
    theta, kappa, xi, rho, v0 = model.params()
    return np.array([v0, kappa, theta, xi, rho])
