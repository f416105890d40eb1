"""The ground floor, which knows no finance."""

from quantjax.numerics.logarithm import vector_log

__all__ = ["vector_log"]
