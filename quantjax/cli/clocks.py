"""Whose clock a command works on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["ClockName", "chosen_clock"]

ClockName = Annotated[
    str | None,
    typer.Option(
        "--clock", help="Whose time counts: exchange, or received (the recorder's, where it is the only one)."
    ),
]


def chosen_clock(name: str | None, input: Path, format: str | None) -> Literal["exchange", "received"]:
    """The clock that was asked for; by default the venue's, and the recorder's for JSON lines, which have no other."""
    from quantjax import io

    if name is None:
        return "received" if (format or io.find_format(input)) == "jsonl" else "exchange"
    if name not in ("exchange", "received"):
        raise typer.BadParameter(f"expected --clock exchange or received, got {name!r}")
    return "exchange" if name == "exchange" else "received"
