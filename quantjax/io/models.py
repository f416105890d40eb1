"""Models as JSON files: the class by its name in `pricing`, its parameters, and its scheme."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

import quantjax
from quantjax import pricing
from quantjax.io.errors import DataError

__all__ = ["read_model", "write_model"]

# Files of before had neither a number nor `dtypes` and `settings`.
_FORMAT = 1


def write_model(path: str | Path, model: Any) -> Path:
    """A model of `quantjax.pricing` as JSON, from which `read_model` makes an equal one. Driver.

    `format` (of the file, a number) and `quantjax` (the version that wrote it); `model`: the name of its class;
    `parameters`: numbers or lists, to the last digit, and their `dtypes`; `settings`: the static fields, such as the
    `scheme` of its simulation, themselves classes of `quantjax.pricing` by name with their fields. Raises TypeError for
    what is no model of `quantjax.pricing`, and for settings that are none.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "model.json")
    >>> read_model(write_model(path, pricing.Heston(0.04, 1.5, 0.05, 0.6, -0.7))).theta.tolist()
    0.05
    """
    name = type(model).__name__
    if _class(name) is not type(model) or not hasattr(model, "log_cf"):
        raise TypeError(f"expected a model of quantjax.pricing, got {type(model)}")
    parameters = {field: np.asarray(getattr(model, field)) for field in _fields(type(model), static=False)}
    content = {
        "format": _FORMAT,
        "quantjax": quantjax.__version__,
        "model": name,
        "parameters": {field: values.tolist() for field, values in parameters.items()},
        "dtypes": {field: str(values.dtype) for field, values in parameters.items()},
        "settings": {field: _plain(getattr(model, field), field) for field in _fields(type(model), static=True)},
    }
    path = Path(path)
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def read_model(path: str | Path) -> Any:
    """The model of a file that `write_model` wrote, with the settings of its class where the file is of before them.

    Raises FileNotFoundError; `io.DataError` for a file that holds no model, or is of a format that this version does
    not know; and ValueError, as the model does, for parameters outside their domain. Driver.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a model as JSON, got what is none: {error}") from None
    content = content if isinstance(content, dict) else {}
    if content.get("format", _FORMAT) != _FORMAT:
        raise DataError(
            f"{path}: expected a model file of format {_FORMAT}, got {content['format']!r}, written by quantjax "
            f"{content.get('quantjax')}; read it with that version (this is {quantjax.__version__})"
        )
    name = content.get("model")
    kind = _class(name)
    if kind is None or not hasattr(kind, "log_cf"):
        raise DataError(f"{path}: expected the name of a model of quantjax.pricing, got {name!r}")
    parameters, settings = content.get("parameters"), content.get("settings", {})
    wanted = _fields(kind, static=False)
    if not isinstance(parameters, dict) or set(parameters) != set(wanted):
        raise DataError(f"{path}: expected the parameters {', '.join(wanted)}, got {str(parameters)[:200]}")
    if not isinstance(settings, dict) or not set(settings) <= set(_fields(kind, static=True)):
        raise DataError(f"{path}: expected settings of {name}, got {str(settings)[:200]}")
    dtypes = content.get("dtypes", {})
    try:
        values = {field: np.asarray(value, dtypes.get(field, float)) for field, value in parameters.items()}
    except (AttributeError, TypeError, ValueError):
        raise DataError(
            f"{path}: expected parameters as numbers or lists of them, got {str(parameters)[:200]}"
        ) from None
    return kind(**values, **{field: _made(path, value) for field, value in settings.items()})


def _class(name: Any) -> type | None:
    """The Module of `quantjax.pricing` with that name, None if there is none."""
    kind = getattr(pricing, name, None) if isinstance(name, str) else None
    return kind if isinstance(kind, type) and issubclass(kind, eqx.Module) else None


def _fields(kind: type, *, static: bool) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if field.metadata.get("static", False) == static]


def _plain(value: Any, name: str) -> Any:
    """A setting as JSON: a number, a text, or a class of `pricing` with such fields."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    kind = type(value)
    if _class(kind.__name__) is not kind or _fields(kind, static=False):
        raise TypeError(f"expected {name} as a class of quantjax.pricing without arrays, or a number, got {value!r}")
    fields = {field: _plain(getattr(value, field), field) for field in _fields(kind, static=True)}
    return {"class": kind.__name__, "fields": fields}


def _made(path: Path, value: Any) -> Any:
    """The setting that `_plain` wrote."""
    if not isinstance(value, dict):
        return value
    kind, fields = _class(value.get("class")), value.get("fields")
    if kind is None or not isinstance(fields, dict) or set(fields) != set(_fields(kind, static=True)):
        raise DataError(f"{path}: expected a class of quantjax.pricing with its fields, got {str(value)[:200]}")
    return kind(**{name: _made(path, inner) for name, inner in fields.items()})
