"""Calibration of models to option quotes."""

from quantjax.numerics.least_squares import LevenbergMarquardt, Optax
from quantjax.pricing.calibration.calibrate import calibrate
from quantjax.pricing.calibration.initial_heston import initial_heston
from quantjax.pricing.calibration.result import Calibration, CalibrationReason, Starts

__all__ = ["Calibration", "CalibrationReason", "LevenbergMarquardt", "Optax", "Starts", "calibrate", "initial_heston"]
