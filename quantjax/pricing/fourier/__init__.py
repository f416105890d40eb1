"""Fourier engines: prices of European options from characteristic functions."""

from quantjax.pricing.fourier.lewis import Lewis

__all__ = ["Lewis"]
