"""Models as JSON files: the class by its name in `pricing`, and its parameters."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from quantjax import pricing
from quantjax.io.errors import DataError

__all__ = ["read_model", "write_model"]


def write_model(path: str | Path, model: Any) -> Path:
    """A model of `quantjax.pricing` as JSON: its class's name and its parameters, numbers or lists. Driver.

    Parameters are written to the last digit. Static fields (a scheme) are not written: they are how, not what. Raises
    TypeError for what is no model of `quantjax.pricing`.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "model.json")
    >>> read_model(write_model(path, pricing.Heston(0.04, 1.5, 0.05, 0.6, -0.7))).theta.tolist()
    0.05
    """
    name = type(model).__name__
    if getattr(pricing, name, None) is not type(model) or not hasattr(model, "log_cf"):
        raise TypeError(f"expected a model of quantjax.pricing, got {type(model)}")
    parameters = {field: np.asarray(getattr(model, field)).tolist() for field in _parameters(type(model))}
    path = Path(path)
    path.write_text(json.dumps({"model": name, "parameters": parameters}, indent=2) + "\n")
    return path


def read_model(path: str | Path) -> Any:
    """The model of a file that `write_model` wrote. Driver.

    Raises FileNotFoundError; `io.DataError` for a file that holds no model, and ValueError, as the model does, for
    parameters outside their domain.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a model as JSON, got what is none: {error}") from None
    name = content.get("model") if isinstance(content, dict) else None
    kind = getattr(pricing, name, None) if isinstance(name, str) else None
    if not isinstance(kind, type) or not hasattr(kind, "log_cf"):
        raise DataError(f"{path}: expected the name of a model of quantjax.pricing, got {name!r}")
    wanted, given = _parameters(kind), content.get("parameters")
    if not isinstance(given, dict) or set(given) != set(wanted):
        raise DataError(f"{path}: expected the parameters {', '.join(wanted)}, got {str(given)[:200]}")
    try:
        values = {field: np.asarray(value, float) for field, value in given.items()}
    except (TypeError, ValueError):
        raise DataError(f"{path}: expected parameters as numbers or lists of them, got {str(given)[:200]}") from None
    return kind(**values)


def _parameters(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if not field.metadata.get("static", False)]
