"""Fourier engines: prices of European options from characteristic functions."""

from quantjax.pricing.fourier.cos import Cos
from quantjax.pricing.fourier.lewis import Lewis

__all__ = ["Cos", "Lewis"]
