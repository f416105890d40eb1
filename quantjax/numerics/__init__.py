"""The ground floor, which knows no finance."""

from quantjax.numerics.arguments import as_floating
from quantjax.numerics.brownian_bridge import brownian_bridge
from quantjax.numerics.exponential import vector_exp, vector_expm1
from quantjax.numerics.logarithm import vector_log, vector_log1p
from quantjax.numerics.regression import Homoskedastic, NeweyWest, Regression, White, ols
from quantjax.numerics.sobol import sobol_points
from quantjax.numerics.special import erfcx, mills_ratio, normal_cdf, normal_pdf

__all__ = [
    "Homoskedastic",
    "NeweyWest",
    "Regression",
    "White",
    "as_floating",
    "brownian_bridge",
    "erfcx",
    "mills_ratio",
    "normal_cdf",
    "normal_pdf",
    "ols",
    "sobol_points",
    "vector_exp",
    "vector_expm1",
    "vector_log",
    "vector_log1p",
]
