"""Heston prices in fused loops compiled by numba: Lewis's integral with Black's price as control variate.

With q = u^2 + 1/4 and w = -8 ln phi(-i/2):

    price / (D F) = Black(k, w) - e^(k/2) / pi int_0^inf Re[e^(-i u k) (phi(u - i/2) - e^(-w q / 2))] / q du

by Gauss's rule on panels that grow from the middle out, scaled to where the slower of the two terms has decayed.
Options (or maturities) go over the threads.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

__all__ = ["gauss_panels", "heston_prices", "heston_surface"]


def gauss_panels(panels: int = 16, order: int = 10, growth: float = 1.35) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1], the rule of the functions below: 160 nodes give 1e-13 or better for nine models of
    ten, the 64 of (4, 16, 2.0) 1e-7."""
    x, w = np.polynomial.legendre.leggauss(order)
    widths = growth ** np.arange(panels)
    edges = np.concatenate([[0.0], np.cumsum(widths)]) / widths.sum()
    left, half = edges[:-1, None], 0.5 * np.diff(edges)[:, None]
    return (left + half * (1 + x)).ravel(), (half * w).ravel()


_FAST = {"fastmath": {"contract", "reassoc", "nsz", "arcp", "afn"}, "error_model": "numpy", "cache": True}


@njit(inline="always", **_FAST)
def _log_cf(u, t, v0, kappa, theta, xi, rho):
    """Real and imaginary part of ln phi(u - i/2), in the form without branch jumps; there z^2 + i z = u^2 + 1/4."""
    q = u * u + 0.25
    b, c = kappa - 0.5 * rho * xi, -rho * xi * u  # beta = b + i c
    # d = sqrt(beta^2 + xi^2 q), its real part positive.
    square, cross = b * b - c * c + xi * xi * q, b * c
    modulus = math.sqrt(square * square + 4 * cross * cross)
    d_re = math.sqrt(0.5 * (modulus + square)) if square > 0 else abs(cross) / math.sqrt(0.5 * (modulus - square))
    d_im = cross / d_re
    decay = math.exp(-d_re * t)
    e_re, e_im = decay * math.cos(d_im * t), -decay * math.sin(d_im * t)
    # beta - d = -xi^2 q / (beta + d), without cancellation; g = (beta - d) / (beta + d).
    p_re, p_im = b + d_re, c + d_im
    inverse = 1 / (p_re * p_re + p_im * p_im)
    m_re, m_im = -xi * xi * q * inverse * p_re, xi * xi * q * inverse * p_im
    g_re, g_im = (m_re * p_re + m_im * p_im) * inverse, (m_im * p_re - m_re * p_im) * inverse
    bottom_re, bottom_im = 1 - (g_re * e_re - g_im * e_im), -(g_re * e_im + g_im * e_re)
    top_re, top_im = 1 - g_re, -g_im
    # (1 - e) / bottom, and ln(bottom / top).
    inverse = 1 / (bottom_re * bottom_re + bottom_im * bottom_im)
    f_re = ((1 - e_re) * bottom_re - e_im * bottom_im) * inverse
    f_im = (-e_im * bottom_re - (1 - e_re) * bottom_im) * inverse
    log_re = -0.5 * math.log(inverse * (top_re * top_re + top_im * top_im))
    log_im = math.atan2(bottom_im * top_re - bottom_re * top_im, bottom_re * top_re + bottom_im * top_im)
    per = 1 / (xi * xi)
    return (
        per * (v0 * (m_re * f_re - m_im * f_im) + kappa * theta * (m_re * t - 2 * log_re)),
        per * (v0 * (m_re * f_im + m_im * f_re) + kappa * theta * (m_im * t - 2 * log_im)),
    )


@njit(cache=True)
def _normal_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@njit(cache=True)
def _reach(t, w, v0, kappa, theta, xi, rho):
    """Where the slower of phi and its control has fallen by e^-34."""
    end = math.sqrt(68.0 / w)
    for _ in range(40):
        if -_log_cf(end, t, v0, kappa, theta, xi, rho)[0] > 34.0:
            break
        end *= 1.25
    return end


@njit(cache=True)
def _black(k, w, call):
    s = math.sqrt(w)
    d1 = -k / s + 0.5 * s
    strike = math.exp(k)
    if call:
        return _normal_cdf(d1) - strike * _normal_cdf(d1 - s)
    return strike * _normal_cdf(s - d1) - _normal_cdf(-d1)


@njit(parallel=True, **_FAST)
def heston_prices(v0, kappa, theta, xi, rho, forward, strike, maturity, discount, call, nodes, weights):
    """Prices `[option]`; every argument an array `[option]`, `call` of bools; the rule `gauss_panels()`."""
    out = np.empty(len(strike))
    for i in prange(len(strike)):
        t, k = maturity[i], math.log(strike[i] / forward[i])
        w = -8 * _log_cf(0.0, t, v0[i], kappa[i], theta[i], xi[i], rho[i])[0]
        end = _reach(t, w, v0[i], kappa[i], theta[i], xi[i], rho[i])
        total = 0.0
        for j in range(len(nodes)):
            u = end * nodes[j]
            q = u * u + 0.25
            re, im = _log_cf(u, t, v0[i], kappa[i], theta[i], xi[i], rho[i])
            difference = math.exp(re) * math.cos(im - u * k) - math.exp(-0.5 * w * q) * math.cos(u * k)
            total += weights[j] * difference / q
        value = _black(k, w, call[i]) - math.exp(0.5 * k) / math.pi * end * total
        out[i] = discount[i] * forward[i] * value
    return out


@njit(parallel=True, **_FAST)
def heston_surface(v0, kappa, theta, xi, rho, log_moneyness, maturity, call, nodes, weights):
    """Undiscounted prices in forwards, `[maturity, strike]`, of one model: each node's function serves all strikes."""
    out = np.empty(log_moneyness.shape)
    for m in prange(len(maturity)):
        t = maturity[m]
        w = -8 * _log_cf(0.0, t, v0, kappa, theta, xi, rho)[0]
        end = _reach(t, w, v0, kappa, theta, xi, rho)
        total = np.zeros(log_moneyness.shape[1])
        for j in range(len(nodes)):
            u = end * nodes[j]
            q = u * u + 0.25
            re, im = _log_cf(u, t, v0, kappa, theta, xi, rho)
            weight, size = weights[j] / q, math.exp(re)
            real = weight * (size * math.cos(im) - math.exp(-0.5 * w * q))
            imaginary = weight * size * math.sin(im)
            for s in range(log_moneyness.shape[1]):
                angle = u * log_moneyness[m, s]
                total[s] += real * math.cos(angle) + imaginary * math.sin(angle)
        for s in range(log_moneyness.shape[1]):
            k = log_moneyness[m, s]
            out[m, s] = _black(k, w, call[m, s]) - math.exp(0.5 * k) / math.pi * end * total[s]
    return out
