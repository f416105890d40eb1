"""Options of the commands that read option chains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AsOf", "Chain", "ChainFormat", "Rate", "Spot"]

Chain = Annotated[
    Path, typer.Argument(metavar="CHAIN", help="Option quotes: a CBOE table, a Deribit export, LEAN bars.")
]
ChainFormat = Annotated[
    str | None, typer.Option("--format", help="cboe, deribit or lean; found by looking if not given.")
]
AsOf = Annotated[str | None, typer.Option("--as-of", help="When the quotes were taken, UTC, if the file does not say.")]
Spot = Annotated[float | None, typer.Option("--spot", help="The underlying; that of the file if not given.")]
Rate = Annotated[
    float | None, typer.Option("--rate", help="Interest rate a year, as a decimal; put-call parity's if not given.")
]
