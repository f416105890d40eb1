"""What the commands share: options, progress on stderr, results on stdout."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["AsJson", "Format", "Input", "Out", "Seed", "Symbols", "numbers", "progress", "say", "show"]

Input = Annotated[
    Path, typer.Argument(metavar="INPUT", help="A recording, LOBSTER, JSONL, Parquet or recorded Binance file.")
]
Out = Annotated[Path, typer.Option("--out", help="Directory for what is written.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the simulation.")]
Format = Annotated[str | None, typer.Option("--format", help="Format of the input; found by looking if not given.")]
Symbols = Annotated[str | None, typer.Option("--symbols", help="Only these symbols, comma-separated.")]


def numbers(text: str) -> tuple[float, ...]:
    """The numbers of a comma-separated option; a usage error where one is not a number."""
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise typer.BadParameter(f"expected comma-separated numbers, got {text!r}") from None


def say(text: str) -> None:
    """A line about what is going on, on stderr."""
    print(text, file=sys.stderr, flush=True)


def show(result: Mapping[str, Any], *, as_json: bool) -> None:
    """A command's result on stdout: JSON, null for NaN and infinity, or a line for each entry, nested ones indented."""
    if as_json:
        print(json.dumps(_finite(result), indent=2, default=str, allow_nan=False))
        return
    _lines(result, 0)


def _finite(value: Any) -> Any:
    """The same with None for NaN and infinity, for which JSON has no words."""
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _lines(entries: Mapping[str, Any], depth: int) -> None:
    width = max((len(str(key)) for key in entries), default=0)
    for key, value in entries.items():
        if isinstance(value, Mapping):
            print(f"{'  ' * depth}{key}:" + ("" if value else " none"))
            _lines(value, depth + 1)
        else:
            text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
            print(f"{'  ' * depth}{key!s:<{width}}  {text}")


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on stderr, silent where that is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        yield bar
