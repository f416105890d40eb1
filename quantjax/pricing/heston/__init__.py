"""Heston's model: characteristic function, cumulants, simulation."""

from quantjax.pricing.heston.model import Heston

__all__ = ["Heston"]
