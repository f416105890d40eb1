"""When things happen: a Hawkes process with an exponential kernel, so that events come in clusters."""

from __future__ import annotations

import math
import random

__all__ = ["HawkesArrivals"]


class HawkesArrivals:
    """Waiting times of a stationary Hawkes process.

    The intensity is `mu + sum over past t_i of n * beta * exp(-beta * (t - t_i))` with `mu = rate * (1 - n)`, so that
    the mean rate is `rate` for every branching ratio n < 1 (the mean number of children of an event); n = 0 is a
    Poisson process.

    Drawn exactly, without thinning: between events the intensity above `mu` decays deterministically, so the next
    event is the earlier of the next one of a Poisson process of rate `mu` and of an inverted exponential decay
    (Dassios & Zhao, "Exact simulation of Hawkes process with exponentially decaying intensity", 2013, algorithm 3.1).

    Args:
        rate: mean number of events per second, > 0.
        branching: branching ratio n, in [0, 1).
        decay: beta, per second, > 0.
        source: the only randomness used.
    """

    def __init__(self, rate: float, branching: float, decay: float, source: random.Random) -> None:
        if not (rate > 0.0 and decay > 0.0 and 0.0 <= branching < 1.0):
            raise ValueError(
                f"expected rate > 0, decay > 0 and 0 <= branching < 1, got {rate=}, {decay=}, {branching=}; "
                "a branching ratio of 1 or more has no stationary rate"
            )
        self.rate = rate
        self.branching = branching
        self.decay = decay
        self._base = rate * (1.0 - branching)
        self._jump = branching * decay
        self._excess = rate - self._base  # at its stationary mean
        self._random = source.random

    def wait(self) -> float:
        """Seconds from the last event (at first: from the start) to the next."""
        seconds = -math.log(1.0 - self._random()) / self._base
        if self._excess > 0.0:
            # The decaying part has a finite integral: where this is not positive it has no further event of its own.
            survival = 1.0 + self.decay * math.log(1.0 - self._random()) / self._excess
            if survival > 0.0:
                seconds = min(seconds, -math.log(survival) / self.decay)
            self._excess *= math.exp(-self.decay * seconds)
        self._excess += self._jump
        return seconds

    def fano_factor(self, window: float) -> float:
        """Variance over mean of the number of events in `window` seconds.

        `k**2 + (1 - k**2) * (1 - exp(-g * w)) / (g * w)` with `k = 1 / (1 - n)` and `g = beta * (1 - n)`: 1 for short
        windows, `1 / (1 - n)**2` for long ones (Da Fonseca & Zaatour, "Hawkes process: fast calibration", 2014).
        """
        limit = 1.0 / (1.0 - self.branching) ** 2
        scaled = self.decay * (1.0 - self.branching) * window
        return limit + (1.0 - limit) * -math.expm1(-scaled) / scaled
