"""`quantjax bars`: a recording's trades as bars of time, trades, volume, notional or imbalance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantjax.cli.clocks import ClockName, chosen_clock
from quantjax.cli.console import AsJson, Format, Input, Symbols, progress, say, show

if TYPE_CHECKING:
    from quantjax import lob
    from quantjax.lob.bars import BarKind

__all__ = ["bars"]


def bars(
    input: Input,
    every: Annotated[str | None, typer.Option(help="Time bars: 100ms, 1s, 5min, 1h; 1s if no kind is given.")] = None,
    ticks: Annotated[int | None, typer.Option(help="Tick bars: so many trades each.")] = None,
    volume: Annotated[str | None, typer.Option(help="Volume bars: so much base currency each.")] = None,
    notional: Annotated[str | None, typer.Option(help="Notional bars: so much quote currency each.")] = None,
    imbalance: Annotated[
        str | None, typer.Option(help="Imbalance bars: of tick, volume or notional, with --threshold.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Imbalance that closes a bar, in its own unit.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Directory for bars-SYMBOL.parquet.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV too.")] = False,
    plots: Annotated[bool, typer.Option("--plots", help="Draw candles into --out.")] = False,
    format: Format = None,
    symbols: Symbols = None,
    clock: ClockName = None,
    as_json: AsJson = False,
) -> None:
    """Make bars of INPUT's trades; exactly one kind, time bars of 1s if none is named."""
    from quantjax import io, lob

    chosen = (every, ticks, volume, notional, imbalance, threshold)
    kind = bar_kind(*chosen)
    if (csv or plots) and out is None:
        raise typer.BadParameter("expected --out DIR with --csv or --plots, got none")
    with progress() as bar:
        bar.add_task("reading", total=None, state=input.name)
        # One level: it is the trades that are wanted.
        data = io.read_books(
            input,
            format=format,
            symbols=symbols.split(",") if symbols else None,
            levels=1,
            clock=chosen_clock(clock, input, format),
        )
        if "contracts" in (data.metadata.get("source_unit") or {}).values():
            kind = bar_kind(*chosen, lot_size=None)  # contracts turned into coins are no whole lots
        made, notes = {}, {}
        for symbol in data.symbols:
            cleaned = lob.clean_trades(data.trades[symbol]) if symbol in data.trades else None
            if cleaned is None or not len(cleaned.trades):
                notes[symbol] = {"trades": 0, "note": "the recording holds no trades of it: no bars"}
                continue
            made[symbol] = lob.make_bars(cleaned.trades, kind), cleaned.counts
        result: dict[str, Any] = {
            "source": str(data.source),
            "format": data.format,
            "clock": data.metadata["clock"],
            "kind": " ".join(str(kind).split()).replace("( ", "(").replace(" )", ")"),
            "symbols": {symbol: summary(*found) for symbol, found in made.items()} | notes,
            "counts": data.counts,
        }
        if out is not None:
            result["files"] = [str(file) for one, _ in made.values() for file in _write(out, one, csv=csv, plots=plots)]
    if out is None and not as_json:
        say("--out DIR writes the bars as Parquet, with --csv as CSV, with --plots candles")
    if "files" in result and not as_json:
        result["files"] = ", ".join(result["files"])
    show(result, as_json=as_json)


def bar_kind(
    every: str | None,
    ticks: int | None,
    volume: str | None,
    notional: str | None,
    imbalance: str | None,
    threshold: float | None,
    *,
    lot_size: float | None = 1e-8,
) -> BarKind:
    """The kind of bar that the options name, time bars of one second for none; a usage error for more than one.

    Volumes are counted exactly, in lots of `lot_size`, or added as they are where it is None.
    """
    from decimal import Decimal, InvalidOperation

    from quantjax import lob

    given = {"every": every, "ticks": ticks, "volume": volume, "notional": notional, "imbalance": imbalance}
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise typer.BadParameter(f"expected one kind of bar, got {' and '.join(named)}")
    if (imbalance is None) != (threshold is None):
        raise typer.BadParameter("expected --imbalance and --threshold together")
    try:
        if ticks is not None:
            return lob.TickBars(ticks)
        if volume is not None:
            return lob.VolumeBars(Decimal(volume), lot_size=lot_size)
        if notional is not None:
            return lob.NotionalBars(Decimal(notional))
        if imbalance is not None and threshold is not None:
            fixed = lob.FixedThreshold(threshold)
            return lob.ImbalanceBars(imbalance, fixed, lot_size=lot_size)  # pyright: ignore[reportArgumentType]
        return lob.TimeBars(every or "1s")
    except InvalidOperation:
        raise typer.BadParameter(f"expected a number, got {volume or notional!r}") from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def summary(bars: lob.Bars, cleaned: dict[str, int]) -> dict[str, Any]:
    """Numbers of bars, trades and what was dropped, the first and the last time, and the volume."""
    import numpy as np

    at = lambda time_ns: f"{np.datetime64(int(time_ns), 'ns')}Z"  # noqa: E731
    incomplete = ~bars.complete
    return {
        "bars": len(bars.count),
        "empty_bars": int(np.count_nonzero(bars.count == 0)),
        "incomplete_bars": int(np.count_nonzero(incomplete)),
        "trades": int(bars.count.sum()),
        "trades_in_incomplete_bars": int(bars.count[incomplete].sum()),
        "trades_outside": int(bars.trades_outside),
        "trades_invalid_dropped": cleaned["invalid_dropped"],
        "clock_went_back": cleaned["clock_went_back"],
        "first": at(bars.start_ns[0]),
        "last": at(bars.end_ns[-1]),
        "volume": float(bars.volume.sum()),
        "notional": float(bars.notional.sum()),
        "bought": float(bars.buy_volume.sum()),
        "sold": float(bars.sell_volume.sum()),
        "side_unknown": float(bars.unknown_volume.sum()),
    }


def _write(out: Path, bars: lob.Bars, *, csv: bool, plots: bool) -> list[Path]:
    from feeds.recording.files import file_symbol
    from quantjax import io
    from quantjax.report import candles

    assert isinstance(bars.symbol, str)
    name = f"bars-{file_symbol(bars.symbol)}"
    table = bars.to_pandas()
    # Drawn before anything is written: without matplotlib nothing is left half done.
    figure = candles(bars) if plots else None
    files = [io.write_table(out / f"{name}.parquet", table)]
    if csv:
        files.append(io.write_table(out / f"{name}.csv", table))
    if figure is not None:
        figure.savefig(out / f"{name}.png", dpi=160)
        files.append(out / f"{name}.png")
    return files
