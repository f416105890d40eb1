"""Option pricing: models, Fourier and Monte Carlo engines, implied volatility, calibration."""

from quantjax.pricing.arbitrage import CalendarArbitrage, SliceArbitrage, calendar_arbitrage, slice_arbitrage
from quantjax.pricing.bachelier import bachelier_implied_vol, bachelier_price
from quantjax.pricing.black import black_price
from quantjax.pricing.black_model import Black
from quantjax.pricing.calibration import (
    Calibration,
    CalibrationReason,
    LevenbergMarquardt,
    Optax,
    calibrate,
    initial_heston,
)
from quantjax.pricing.forwards import forward_curve
from quantjax.pricing.fourier import Cos, Lewis
from quantjax.pricing.greeks import Greeks, bachelier_greeks, black_greeks
from quantjax.pricing.heston import FullTruncationEuler, Heston, QuadraticExponential
from quantjax.pricing.implied_vol import implied_vol
from quantjax.pricing.model_greeks import ModelGreeks, greeks
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
from quantjax.pricing.parity import ParityFit, fit_parity
from quantjax.pricing.price import Engine, price, price_error
from quantjax.pricing.quotes import OptionQuotes, stack_quotes
from quantjax.pricing.svi import Svi, SviFit, fit_svi, fit_svi_slices

__all__ = [
    "Asian",
    "Barrier",
    "Black",
    "CalendarArbitrage",
    "Calibration",
    "CalibrationReason",
    "ConditionalPaths",
    "ControlVariate",
    "Cos",
    "Digital",
    "Engine",
    "European",
    "FullTruncationEuler",
    "Greeks",
    "Heston",
    "LevenbergMarquardt",
    "Lewis",
    "ModelGreeks",
    "MonteCarlo",
    "MonteCarloResult",
    "Optax",
    "OptionQuotes",
    "ParityFit",
    "Paths",
    "PseudoRandom",
    "QuadraticExponential",
    "SliceArbitrage",
    "Sobol",
    "SpotControl",
    "Svi",
    "SviFit",
    "VarianceSwap",
    "bachelier_greeks",
    "bachelier_implied_vol",
    "bachelier_price",
    "black_greeks",
    "black_price",
    "calendar_arbitrage",
    "calibrate",
    "fit_parity",
    "fit_svi",
    "fit_svi_slices",
    "forward_curve",
    "greeks",
    "implied_vol",
    "initial_heston",
    "price",
    "price_error",
    "simulate_price",
    "slice_arbitrage",
    "stack_quotes",
]
