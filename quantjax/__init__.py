"""quantjax: quant compute kernels on JAX.

The sub-packages load on first use, so that `import quantjax` costs nothing and loads no jax by itself:

    >>> import quantjax
    >>> quantjax.lob.Book  # doctest: +ELLIPSIS
    <class '...Book'>
"""

from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quantjax import io, lob, pricing, report

__all__ = ["io", "lob", "pricing", "report"]
__version__ = "0.1.0"


def __getattr__(name: str) -> _ModuleType:
    if name in __all__:
        return _import_module(f"quantjax.{name}")
    raise AttributeError(f"module 'quantjax' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
