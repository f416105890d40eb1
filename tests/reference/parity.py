"""Put-call parity and static arbitrage, the slow way."""

from __future__ import annotations

import itertools

import numpy as np


def parity_line(strike, difference, spread, discount=None, rounds=25):
    """Forward, discount and their standard errors by iteratively reweighted least squares with Huber's weights."""
    base = 1 / spread**2
    weight = base
    for _ in range(rounds + 1):
        if discount is None:
            x = np.stack([np.ones_like(strike), -strike], 1)
            y = difference
        else:
            x, y = np.ones((len(strike), 1)), difference + discount * strike
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]
        residual = y - x @ coefficients
        size = np.abs(residual) / spread
        scale = 1.4826 * np.median(size)
        weight = base * np.minimum(1.0, 1.345 * scale / np.maximum(size, 1e-300))
    size = np.abs(residual) / spread
    curving = base * (size <= 1.345 * 1.4826 * np.median(size))
    bread = np.linalg.inv(x.T @ (x * curving[:, None]))
    meat = x.T @ (x * (weight * residual)[:, None] ** 2)
    covariance = bread @ meat @ bread * len(strike) / (len(strike) - x.shape[1])
    if discount is None:
        level, found = coefficients
        gradient = np.array([1 / found, -level / found**2])
        return level / found, found, np.sqrt(gradient @ covariance @ gradient), np.sqrt(covariance[1, 1])
    return coefficients[0] / discount, discount, np.sqrt(covariance[0, 0]) / discount, 0.0


def slice_gains(strike, bid, ask, discount):
    """The best call spread, wide spread and butterfly for selling the call of each strike, over all others."""
    n = len(strike)
    call_spread, wide, butterfly = np.zeros(n), np.zeros(n), np.zeros(n)
    for i, j in itertools.combinations(range(n), 2):
        call_spread[j] = max(call_spread[j], bid[j] - ask[i])
        wide[i] = max(wide[i], bid[i] - ask[j] - discount * (strike[j] - strike[i]))
    for j in range(n):
        for i, k in itertools.product(range(j), range(j + 1, n)):
            share = (strike[k] - strike[j]) / (strike[k] - strike[i])
            gain = bid[j] - share * ask[i] - (1 - share) * ask[k]
            butterfly[j] = max(butterfly[j], gain)
    return call_spread, wide, butterfly
