"""Option pricing: models, Fourier and Monte Carlo engines, implied volatility, calibration."""

from quantjax.pricing.heston import Heston

__all__ = ["Heston"]
