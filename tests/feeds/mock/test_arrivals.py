import math
import random
from statistics import mean, pvariance

import pytest

from feeds.mock.arrivals import HawkesArrivals


def counts(arrivals: HawkesArrivals, window: float, windows: int) -> list[int]:
    numbers, time = [0] * windows, arrivals.wait()
    while time < window * windows:
        numbers[int(time / window)] += 1
        time += arrivals.wait()
    return numbers


@pytest.mark.parametrize(("rate", "branching", "decay"), [(40.0, 0.6, 4.0), (10.0, 0.8, 20.0), (25.0, 0.0, 1.0)])
def test_rate_and_clustering_are_those_of_the_theory(rate, branching, decay):
    arrivals = HawkesArrivals(rate, branching, decay, random.Random(7))
    window, windows = 2.0, 2_000
    numbers = counts(arrivals, window, windows)
    expected = arrivals.fano_factor(window)

    # Long windows count like a normal variable of variance rate * T / (1 - n)**2.
    std_error = math.sqrt(rate / (window * windows)) / (1.0 - branching)
    assert mean(numbers) / window == pytest.approx(rate, abs=4.0 * std_error)
    assert pvariance(numbers) / mean(numbers) == pytest.approx(expected, rel=0.15)
    assert expected == pytest.approx(1.0) if branching == 0.0 else expected > 2.0


def test_fano_factor_grows_from_poisson_to_its_limit():
    arrivals = HawkesArrivals(1.0, 0.75, 2.0, random.Random(1))
    assert arrivals.fano_factor(1e-6) == pytest.approx(1.0, abs=1e-4)
    assert arrivals.fano_factor(1e9) == pytest.approx(16.0)


def test_same_source_same_times():
    first, second = (HawkesArrivals(5.0, 0.5, 1.0, random.Random(3)) for _ in range(2))
    assert [first.wait() for _ in range(100)] == [second.wait() for _ in range(100)]


@pytest.mark.parametrize(
    ("rate", "branching", "decay"), [(0.0, 0.5, 1.0), (1.0, 1.0, 1.0), (1.0, -0.1, 1.0), (1.0, 0.5, 0.0)]
)
def test_what_is_not_stationary_is_refused(rate, branching, decay):
    with pytest.raises(ValueError, match="branching"):
        HawkesArrivals(rate, branching, decay, random.Random(0))
