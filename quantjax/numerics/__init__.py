"""The ground floor, which knows no finance."""

from quantjax.numerics.logarithm import log_normal_number

__all__ = ["log_normal_number"]
