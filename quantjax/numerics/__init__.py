"""The ground floor, which knows no finance."""

from quantjax.numerics.logarithm import vector_log
from quantjax.numerics.regression import Homoskedastic, NeweyWest, Regression, White, ols

__all__ = ["Homoskedastic", "NeweyWest", "Regression", "White", "ols", "vector_log"]
