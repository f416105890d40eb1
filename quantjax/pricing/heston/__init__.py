"""Heston's model: characteristic function, cumulants, simulation."""

from quantjax.pricing.heston.full_truncation_euler import FullTruncationEuler
from quantjax.pricing.heston.model import Heston
from quantjax.pricing.heston.quadratic_exponential import QuadraticExponential

__all__ = ["FullTruncationEuler", "Heston", "QuadraticExponential"]
