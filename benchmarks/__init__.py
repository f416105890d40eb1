"""The workloads of `quantjax bench`: one module each, with `run(repeats, say) -> Result facts and timings`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

__all__ = ["WORKLOADS", "run"]

WORKLOADS = (
    "book_metrics",
    "reconstruction",
    "order_flow",
    "trade_metrics",
    "bars",
    "implied_vol",
    "heston_fourier",
    "heston_monte_carlo",
    "heston_calibration",
)


def run(workload: str, out: Path, *, repeats: int) -> Path:
    """Run one workload and write `out/WORKLOAD-DEVICE.json`; the path."""
    import jax

    jax.config.update("jax_enable_x64", True)
    path = out / f"{workload}-{jax.default_backend()}.json"
    import_module(f"benchmarks.{workload}").main(path, repeats=repeats)
    return path
