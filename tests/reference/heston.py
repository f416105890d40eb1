"""Heston's model in many digits, slowly: its characteristic function, prices by brute force, and printed prices."""

from __future__ import annotations

import mpmath
import numpy as np
from scipy.special import ndtr

__all__ = ["PRICES", "log_cf", "otm_prices"]

# name, spot, strike, maturity, rate, dividend, (v0, kappa, theta, xi, rho), call, price, tolerance. Sources: A. Lewis's
# reference prices (financepress.com, 2019); Andersen (2008), Broadie & Kaya (2006), Fang & Oosterlee (2008), Smith
# (2007) and Cui et al. (2017) for the parameters, whose printed digits agree with 30-digit integrals of Lewis's.
PRICES = (
    ("Lewis T=1 K=80 call", 100, 80, 1, 0.01, 0.02, (0.04, 4, 0.25, 1, -0.5), True, 26.77475874399885, 2.7e-09),
    ("Lewis T=1 K=100 call", 100, 100, 1, 0.01, 0.02, (0.04, 4, 0.25, 1, -0.5), True, 16.07015491702883, 1.6e-09),
    ("Lewis T=1 K=120 call", 100, 120, 1, 0.01, 0.02, (0.04, 4, 0.25, 1, -0.5), True, 9.024913483457835, 9.0e-10),
    (
        "Lewis T=.01 K=95 put",
        100,
        95,
        0.01,
        0.01,
        0.02,
        (0.01, 4, 0.25, 1, -0.5),
        False,
        0.0004619548556538516,
        4.6e-14,
    ),
    (
        "Lewis T=.01 K=105 call",
        100,
        105,
        0.01,
        0.01,
        0.02,
        (0.01, 4, 0.25, 1, -0.5),
        True,
        2.527447823194706e-06,
        1.0e-13,
    ),
    ("Andersen I K=60 call", 100, 60, 10, 0, 0, (0.04, 0.5, 0.04, 1, -0.9), True, 44.32997507017434, 4.4e-09),
    ("Andersen I K=100 call", 100, 100, 10, 0, 0, (0.04, 0.5, 0.04, 1, -0.9), True, 13.08467013699236, 1.3e-09),
    ("Andersen II K=60 call", 100, 60, 15, 0, 0, (0.04, 0.3, 0.04, 0.9, -0.5), True, 45.28686396998147, 4.5e-09),
    ("Andersen II K=140 call", 100, 140, 15, 0, 0, (0.04, 0.3, 0.04, 0.9, -0.5), True, 5.138190493784826, 5.1e-10),
    ("Andersen III K=100 call", 100, 100, 5, 0, 0, (0.09, 1, 0.09, 1, -0.3), True, 21.79528774247355, 2.2e-09),
    ("Andersen III r5 K=60 call", 100, 60, 5, 0.05, 0, (0.09, 1, 0.09, 1, -0.3), True, 56.57502466975327, 5.7e-09),
    ("Andersen III r5 K=140 call", 100, 140, 5, 0.05, 0, (0.09, 1, 0.09, 1, -0.3), True, 18.15695689332316, 1.8e-09),
    ("BK2 K=100 call", 100, 100, 5, 0.05, 0, (0.09, 2, 0.09, 1, -0.3), True, 34.99975835118381, 3.5e-09),
    (
        "Fang-Oosterlee T=10 K=100 call",
        100,
        100,
        10,
        0,
        0,
        (0.0175, 1.5768, 0.0398, 0.5751, -0.5711),
        True,
        22.31894579115449,
        2.2e-09,
    ),
    (
        "Smith K=100 call",
        100,
        100,
        4,
        0,
        0,
        (0.0194, 1.0407, 0.0586, 0.5196, -0.6747),
        True,
        15.16790670022811,
        1.5e-09,
    ),
    (
        "Cui 2017 option #0 price",
        1.0,
        0.9371,
        0.119047619047619,
        0.02,
        0,
        (0.08, 3, 0.1, 0.25, -0.8),
        True,
        0.08033144682413755,
        1.0e-11,
    ),
    (
        "Cui 2017 option #39 price",
        1.0,
        1.5328,
        1.42857142857143,
        0.02,
        0,
        (0.08, 3, 0.1, 0.25, -0.8),
        True,
        0.023221614385136615,
        1.0e-11,
    ),
)


def log_cf(u: complex, t: float, v0: float, kappa: float, theta: float, xi: float, rho: float) -> complex:
    """Albrecher et al.'s form in 50 digits."""
    with mpmath.workdps(50):
        u = mpmath.mpc(u.real, u.imag)
        t, v0, kappa, theta, xi, rho = (mpmath.mpf(float(x)) for x in (t, v0, kappa, theta, xi, rho))
        beta = kappa - 1j * rho * xi * u
        d = mpmath.sqrt(beta**2 + xi**2 * (u * u + 1j * u))
        g, e = (beta - d) / (beta + d), mpmath.exp(-d * t)
        mean = kappa * theta / xi**2 * ((beta - d) * t - 2 * mpmath.log((1 - g * e) / (1 - g)))
        return complex(mean + v0 / xi**2 * (beta - d) * (1 - e) / (1 - g * e))


def otm_prices(log_moneyness: np.ndarray, t: float, v0, kappa, theta, xi, rho, *, nodes: int = 30_000) -> np.ndarray:
    """Undiscounted out-of-the-money prices in units of the forward, by Lewis's integral along the real line.

    Black's price with the variance of phi(-i/2) is the control variate. The trapezoidal rule in y of u = b sinh y, far
    past where anything is left, with so many nodes that it needs no thought.
    """

    def log_phi(z):
        q, beta = z * (z + 1j), kappa - 1j * rho * xi * z
        d = np.sqrt(beta * beta + xi * xi * q)
        less, slope = np.expm1(-d * t), q / (beta + d)
        logarithm = np.log1p(xi * xi * slope * less / (2 * d))
        return v0 * q * less / (d * (2 + less) - beta * less) - kappa * theta * (t * slope + 2 * logarithm / xi**2)

    k = np.asarray(log_moneyness)
    w = -8 * log_phi(np.array([-0.5j]))[0].real
    end = np.sqrt(90 / w)
    while -log_phi(np.array([end - 0.5j]))[0].real < 45:
        end *= 1.5
    scale = 0.5 * min(1 / np.sqrt(w), 1.0)
    y = np.linspace(0, np.arcsinh(end / scale), nodes)
    u, weight = scale * np.sinh(y), scale * np.cosh(y) * (y[1] - y[0])
    weight[0] /= 2
    value = (np.exp(log_phi(u - 0.5j)) - np.exp(-0.5 * w * (u * u + 0.25))) / (u * u + 0.25) * weight
    integral = np.array([(np.exp(-1j * u * x) * value).sum().real for x in k])
    s = np.sqrt(w)
    sign = np.where(k >= 0, 1, -1)
    d1 = -k / s + s / 2
    control = sign * (ndtr(sign * d1) - np.exp(k) * ndtr(sign * (d1 - s)))
    return control - np.exp(k / 2) / np.pi * integral
