"""Monte Carlo: draws, paths, payoffs, control variates and the engine that prices any of them."""

from quantjax.pricing.monte_carlo.barrier import Barrier
from quantjax.pricing.monte_carlo.control_variates import ControlVariate, SpotControl
from quantjax.pricing.monte_carlo.draws import PseudoRandom, Sobol
from quantjax.pricing.monte_carlo.engine import MonteCarlo, MonteCarloResult, simulate_price
from quantjax.pricing.monte_carlo.paths import ConditionalPaths, Paths
from quantjax.pricing.monte_carlo.payoffs import Asian, Digital, European, VarianceSwap

__all__ = [
    "Asian",
    "Barrier",
    "ConditionalPaths",
    "ControlVariate",
    "Digital",
    "European",
    "MonteCarlo",
    "MonteCarloResult",
    "Paths",
    "PseudoRandom",
    "Sobol",
    "SpotControl",
    "VarianceSwap",
    "simulate_price",
]
