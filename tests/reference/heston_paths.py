"""Heston schemes path by path and step by step, as the papers write them: slow, and nothing shared or masked."""

from __future__ import annotations

import math

from scipy.stats import norm

__all__ = ["full_truncation_euler", "quadratic_exponential"]


def quadratic_exponential(model: dict, step: float, normals) -> list[tuple[float, float]]:
    """(v, ln S / F) after each step of one path by Andersen's QE-M (2008, sections 3.2.4 and 4.3), psi_c = 1.5.

    `normals`: pairs, the first for the variance, the second for the spot.
    """
    v, x = model["v0"], 0.0
    kappa, theta, xi, rho = (model[name] for name in ("kappa", "theta", "xi", "rho"))
    k1 = step / 2 * (kappa * rho / xi - 0.5) - rho / xi
    k2 = step / 2 * (kappa * rho / xi - 0.5) + rho / xi
    k3 = k4 = step / 2 * (1 - rho**2)
    a_ = k2 + k4 / 2
    e = math.exp(-kappa * step)
    seen = []
    for z, z_spot in normals:
        m = theta + (v - theta) * e
        s2 = v * xi**2 * e / kappa * (1 - e) + theta * xi**2 / (2 * kappa) * (1 - e) ** 2
        psi = s2 / m**2
        if psi <= 1.5:
            b2 = 2 / psi - 1 + math.sqrt(2 / psi) * math.sqrt(2 / psi - 1)
            a = m / (1 + b2)
            v_next = a * (math.sqrt(b2) + z) ** 2
            k0 = -a_ * b2 * a / (1 - 2 * a_ * a) + 0.5 * math.log(1 - 2 * a_ * a) - (k1 + k3 / 2) * v
        else:
            p = (psi - 1) / (psi + 1)
            beta = (1 - p) / m
            u = norm.cdf(z)
            v_next = 0.0 if u <= p else math.log((1 - p) / norm.sf(z)) / beta
            k0 = -math.log(p + beta * (1 - p) / (beta - a_)) - (k1 + k3 / 2) * v
        x += k0 + k1 * v + k2 * v_next + math.sqrt(k3 * v + k4 * v_next) * z_spot
        v = v_next
        seen.append((v, x))
    return seen


def full_truncation_euler(model: dict, step: float, normals) -> list[tuple[float, float]]:
    """(v, ln S / F) after each step of one path (Lord, Koekkoek & van Dijk 2010)."""
    v, x = model["v0"], 0.0
    kappa, theta, xi, rho = (model[name] for name in ("kappa", "theta", "xi", "rho"))
    seen = []
    for z, z_spot in normals:
        positive = max(v, 0.0)
        root = math.sqrt(positive * step)
        x += -positive * step / 2 + root * (rho * z + math.sqrt(1 - rho**2) * z_spot)
        v += kappa * (theta - positive) * step + xi * root * z
        seen.append((v, x))
    return seen
