"""Option pricing: models, Fourier and Monte Carlo engines, implied volatility, calibration."""

from quantjax.pricing.black import black_price
from quantjax.pricing.forwards import forward_curve
from quantjax.pricing.fourier import Lewis
from quantjax.pricing.heston import FullTruncationEuler, Heston, QuadraticExponential
from quantjax.pricing.implied_vol import implied_vol
from quantjax.pricing.monte_carlo import (
    Asian,
    Barrier,
    ConditionalPaths,
    ControlVariate,
    Digital,
    European,
    MonteCarlo,
    MonteCarloResult,
    Paths,
    PseudoRandom,
    Sobol,
    SpotControl,
    VarianceSwap,
    simulate_price,
)
from quantjax.pricing.price import price

__all__ = [
    "Asian",
    "Barrier",
    "ConditionalPaths",
    "ControlVariate",
    "Digital",
    "European",
    "FullTruncationEuler",
    "Heston",
    "Lewis",
    "MonteCarlo",
    "MonteCarloResult",
    "Paths",
    "PseudoRandom",
    "QuadraticExponential",
    "Sobol",
    "SpotControl",
    "VarianceSwap",
    "black_price",
    "forward_curve",
    "implied_vol",
    "price",
    "simulate_price",
]
