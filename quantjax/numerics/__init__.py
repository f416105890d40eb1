"""The ground floor, which knows no finance."""

from quantjax.numerics.logarithm import vector_log
from quantjax.numerics.regression import Homoskedastic, NeweyWest, Regression, White, as_floating, ols

__all__ = ["Homoskedastic", "NeweyWest", "Regression", "White", "as_floating", "ols", "vector_log"]
