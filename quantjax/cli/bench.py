"""`quantjax bench`: the benchmarks of a checkout, on whatever device there is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from quantjax.cli.console import say

__all__ = ["bench"]


def bench(
    workloads: Annotated[list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="All if not given.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory for the JSON; benchmarks/results if not given.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Interleaved repeats of each case.")] = 15,
) -> None:
    """Time the kernels beside plain numpy and beside the peers, and write the results as JSON."""
    root = next(
        (folder for folder in (Path.cwd(), *Path(__file__).parents) if (folder / "benchmarks/harness.py").is_file()),
        None,
    )
    if root is None:
        raise ValueError(
            "expected a checkout of quantjax, got an installation without benchmarks/; run it from a clone"
        )
    sys.path.insert(0, str(root))
    from benchmarks import WORKLOADS, run

    for name in workloads or WORKLOADS:
        if name not in WORKLOADS:
            raise ValueError(f"expected a workload of {', '.join(WORKLOADS)}, got {name!r}")
        path = run(name, out or root / "benchmarks/results", repeats=repeats)
        say(f"wrote {path}")
