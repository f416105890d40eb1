"""The command line: `quantjax VERB INPUT... [--out DIR] [--json] [--seed N]`.

Each command is a few lines over public functions and imports what is heavy inside; progress goes to stderr, results to
stdout. Exit codes: 0 done, 1 an error in one line (`--debug` for the traceback), 2 wrong usage.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from quantjax.cli import analyze, bars, bench, calibrate, demo, flow, info, mock, price, record, replay

__all__ = ["app", "main"]

app = typer.Typer(
    help="Quant compute kernels on JAX: record and replay exchanges, measure books, price options, calibrate models.",
    epilog="Add --debug to any command for the traceback of an error.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(info.info)
app.command()(mock.mock)
app.command()(record.record)
app.command()(replay.replay)
app.command()(analyze.analyze)
app.command()(flow.flow)
app.command()(bars.bars)
app.command()(price.price)
app.command()(calibrate.calibrate)
app.command()(demo.demo)
app.command()(bench.bench)


def main() -> None:
    """Entry point of the `quantjax` script."""
    # Read by JAX when a command first imports it: doubles throughout, and compiled kernels kept between runs.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quantjax" / "jax"
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except BrokenPipeError:
        # The reader of our output has gone, as in `quantjax ... | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # the boundary: whatever it is, a user gets one line
        if debug:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        expected = isinstance(error, ValueError | OSError | ImportError) or type(error).__module__.startswith("feeds")
        hint = "" if expected else f" ({type(error).__name__}; --debug shows where)"
        print(f"quantjax: error: {text}{hint}", file=sys.stderr)
        sys.exit(1)
