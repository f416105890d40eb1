"""`quantjax info`: what is installed here, or what an input holds."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from quantjax.cli.console import AsJson, Format, show

__all__ = ["info"]

PACKAGES = ("jax", "jaxlib", "equinox", "numpy", "pandas", "pyarrow", "websockets", "fastapi", "matplotlib", "numba")


def info(
    input: Annotated[Path | None, typer.Argument(metavar="[INPUT]", help="A recording or a file of books.")] = None,
    format: Format = None,
    as_json: AsJson = False,
) -> None:
    """Show versions and devices; with INPUT, its format, symbols, times and counts."""
    show(_input(input, format) if input is not None else _installation(), as_json=as_json)


def _installation() -> dict[str, Any]:
    import jax

    import quantjax
    from quantjax import io

    packages = {}
    for package in PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = "not installed"
    return {
        "quantjax": quantjax.__version__,
        "python": sys.version.split()[0],
        "devices": ", ".join(f"{device.device_kind} ({device.platform})" for device in jax.devices()),
        "double precision": bool(jax.config.read("jax_enable_x64")),
        "compilation cache": os.environ.get("JAX_COMPILATION_CACHE_DIR", "none"),
        "packages": packages,
        "data sets": ", ".join(io.datasets.names()),
    }


def _input(path: Path, format: str | None) -> dict[str, Any]:
    import numpy as np

    from quantjax import io

    data = io.read_books(path, format=format)
    return {
        "source": data.source,
        "format": data.format,
        "symbols": {
            symbol: {
                "books": len(series),
                "levels": series.book.levels,
                "tick size": float(series.tick_size),
                "from": str(np.datetime64(int(series.time_ns[0]), "ns")) if len(series) else "-",
                "to": str(np.datetime64(int(series.time_ns[-1]), "ns")) if len(series) else "-",
                "trades": len(data.trades[symbol]) if symbol in data.trades else 0,
            }
            for symbol, series in data.series.items()
        },
        "counts": data.counts,
        "metadata": {key: value for key, value in data.metadata.items() if not isinstance(value, list)},
    }
