"""`quantjax calibrate`: a model fitted to an option chain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantjax.cli.chain_options import AsOf, Chain, ChainFormat, Rate, Spot
from quantjax.cli.console import AsJson, progress, say, show

if TYPE_CHECKING:
    import pandas as pd

    from quantjax import io
    from quantjax.pricing import Calibration, SviFit

__all__ = ["calibrate"]

_MODELS = ("heston",)


def calibrate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="heston")],
    chain: Chain,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory for the model, tables (Parquet), figures.")
    ] = None,
    format: ChainFormat = None,
    as_of: AsOf = None,
    spot: Spot = None,
    rate: Rate = None,
    min_days: Annotated[float, typer.Option(help="Shortest expiry, in days.")] = 7.0,
    max_days: Annotated[float, typer.Option(help="Longest expiry, in days.")] = 1000.0,
    settlement: Annotated[str | None, typer.Option(help="AM or PM: only these expiries.")] = None,
    max_deviations: Annotated[float, typer.Option(help="Strikes within so many standard deviations.")] = 2.5,
    max_spread: Annotated[float, typer.Option(help="Quotes with a bid-ask spread below so many mids.")] = 0.5,
    max_strikes: Annotated[int, typer.Option(help="At most so many strikes an expiry, evenly taken.")] = 24,
    starts: Annotated[int, typer.Option(help="Starts of the fit, all but the first drawn by --seed.", min=1)] = 4,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the starts.")] = 0,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw smiles and errors into --out.")] = True,
    as_json: AsJson = False,
) -> None:
    """Clean CHAIN's quotes, fit MODEL to their implied volatilities, and say how well by maturity."""
    if model not in _MODELS:
        raise typer.BadParameter(f"expected a model of {', '.join(_MODELS)}, got {model!r}")
    import jax

    from quantjax import io, pricing

    with progress() as bar:
        task = bar.add_task("reading", total=None, state=chain.name)
        data = io.load_chain(chain, format=format, as_of=as_of, spot=spot, rate=rate)
        quotes = data.quotes(
            min_maturity=min_days / 365,
            max_maturity=max_days / 365,
            settlement=settlement,
            max_deviations=max_deviations,
            max_relative_spread=max_spread,
            max_strikes=max_strikes,
        )
        bar.update(task, description="fitting", state=f"{int(quotes.num_quotes)} quotes")
        start = pricing.initial_heston(quotes)
        found = pricing.calibrate(start, quotes, starts=starts, key=jax.random.key(seed))
        svi = pricing.fit_svi_slices(quotes)
        table = _by_expiry(data, found, svi)
        result = _numbers(data, found, table)
        if out is not None:
            bar.update(task, description="writing")
            result["files"] = [str(file) for file in _write(out, data, found, svi, table, plots=plots)]
    if not bool(found.converged):
        say(f"not converged: {found.message}")
    if not as_json:
        if out is None:
            say("--out DIR writes the model, tables and figures; --json prints every number")
        result = _text(result)
    show(result, as_json=as_json)


def _by_expiry(data: io.OptionChain, found: Calibration, svi: SviFit) -> pd.DataFrame:
    """`Calibration.by_maturity` with what the chain knows of the expiries, and how well SVI does."""
    import numpy as np

    table = found.by_maturity().assign(
        svi_rmse=np.sqrt(np.nanmean(np.square(svi.errors(found.quotes)), axis=1)),
        svi_min_density=np.asarray(svi.min_density),
        svi_converged=np.asarray(svi.converged),
    )
    expiries = data.expiries[["maturity", "expiry", "settlement", "forward", "discount", "atm_vol"]]
    return expiries.merge(table, on="maturity", validate="one_to_one")


def _numbers(data: io.OptionChain, found: Calibration, table: pd.DataFrame) -> dict[str, Any]:
    model, errors = found.model, found.std_error
    return {
        "chain": str(data.source),
        "format": data.format,
        "symbol": data.symbol,
        "as_of": f"{data.as_of:%Y-%m-%d %H:%M} UTC ({data.metadata['as_of_source']})",
        "quotes": int(found.quotes.num_quotes),
        "expiries": len(table),
        "parameters": {
            name: {"value": float(getattr(model, name)), "std_error": _number(errors[name])} for name in errors
        },
        "feller_ratio": float(model.feller_ratio()),
        "rmse_vol_points": float(found.rmse),
        "max_error_vol_points": float(found.max_error),
        "engine_error_vol_points": _number(found.engine_error),
        "quotes_without_model_vol": int(found.num_without_vol),
        "converged": bool(found.converged),
        "message": found.message,
        "condition_number": _number(found.condition_number),
        "steps": int(found.num_steps),
        "by_maturity": table.to_dict("records"),
        "chain_report": data.report,
        "counts": data.counts,
    }


def _text(result: dict[str, Any]) -> dict[str, Any]:
    """The numbers as lines."""
    lines = {name: result[name] for name in ("chain", "symbol", "as_of", "quotes", "expiries")}
    lines["parameters"] = {
        name: f"{one['value']:.6g}" + ("" if one["std_error"] is None else f" +- {one['std_error']:.2g}")
        for name, one in result["parameters"].items()
    } | {"Feller ratio": f"{result['feller_ratio']:.3g}"}
    lines["error by expiry, vol points"] = {
        f"{row['expiry']:%Y-%m-%d} {row['settlement']}": f"{row['rmse']:.3f} (SVI {row['svi_rmse']:.3f}, half "
        f"the spread {row['half_spread']:.3f}; {row['num_quotes']} quotes)"
        + ("; SVI has butterfly arbitrage" if row["svi_min_density"] < 0 else "")
        for row in result["by_maturity"]
    }
    lines["error"] = f"{result['rmse_vol_points']:.3g} vol points rmse, {result['max_error_vol_points']:.3g} at most"
    if result["quotes_without_model_vol"]:
        lines["quotes without a vol of the model, not in the error"] = result["quotes_without_model_vol"]
    off = result["engine_error_vol_points"]
    lines["engine"] = "its error is no number" if off is None else f"off by {off:.2g} vol points at most"
    lines["fit"] = f"{result['message']}, {result['steps']} steps"
    if count := result["chain_report"].get("no_forward"):
        lines["no forward"] = f"{count} quotes, of expiries with too few pairs of a call and a put: give --spot, --rate"
    lines["quotes of the chain"] = result["chain_report"] | {
        name: count for name, count in result["counts"].items() if name not in ("rows", "rows_read")
    }
    return lines | ({"files": ", ".join(result["files"])} if "files" in result else {})


def _number(value) -> float | None:
    """None for what JSON has no number for."""
    return float(value) if abs(float(value)) < float("inf") else None


def _write(
    out: Path, data: io.OptionChain, found: Calibration, svi: SviFit, table: pd.DataFrame, *, plots: bool
) -> list[Path]:
    from quantjax import io, report

    quotes = found.quotes
    figures = {}
    if plots:  # drawn before anything is written: without matplotlib nothing is left half done
        names = [f"{row.expiry:%Y-%m-%d} {row.settlement}" for row in table.itertuples()]
        fitted = quotes.vols + found.errors / 100
        figures = {
            "smiles": report.smiles(quotes, {"Heston": fitted}, svi=svi, names=names),
            "error_by_maturity": report.error_by_maturity(quotes, {"Heston": found.errors, "SVI": svi.errors(quotes)}),
            "residuals": report.residuals(quotes, found.errors, name="Heston model"),
        }
    out.mkdir(parents=True, exist_ok=True)
    files = [io.write_model(out / "model.json", found.model)]
    tables = {"quotes": data.table, "expiries": data.expiries, "errors": found.to_pandas(), "by_maturity": table}
    files += [io.write_table(out / f"{name}.parquet", frame) for name, frame in tables.items()]
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png", dpi=160)
        files.append(out / f"{name}.png")
    return files
