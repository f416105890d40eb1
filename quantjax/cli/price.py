"""`quantjax price`: single prices and surfaces, and the volatilities that prices imply."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantjax.cli.console import AsJson, numbers, say, show

if TYPE_CHECKING:
    from quantjax.pricing import Heston

__all__ = ["price"]

_ROUNDING = 1e-14  # of the forward, of prices
_PARAMETERS = ("v0", "kappa", "theta", "xi", "rho")


def price(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="black or heston")],
    strikes: Annotated[str, typer.Option(help="Strikes, comma-separated.")],
    maturities: Annotated[str, typer.Option(help="Maturities in years, comma-separated.")],
    spot: Annotated[float | None, typer.Option(help="Spot; its forward is spot exp((rate - dividend) T).")] = None,
    forward: Annotated[float | None, typer.Option(help="Forward, the same for every maturity.")] = None,
    rate: Annotated[float, typer.Option(help="Interest rate a year, as a decimal.")] = 0.0,
    dividend: Annotated[float, typer.Option(help="Dividend yield a year, as a decimal.")] = 0.0,
    put: Annotated[bool, typer.Option("--put", help="Puts instead of calls.")] = False,
    vol: Annotated[float | None, typer.Option(help="Black: volatility a year, as a decimal.")] = None,
    price: Annotated[
        str | None, typer.Option(help="Black: prices whose volatilities are wanted, one a strike.")
    ] = None,
    v0: Annotated[float | None, typer.Option(help="Heston: variance now.")] = None,
    kappa: Annotated[float | None, typer.Option(help="Heston: speed of mean reversion, a year.")] = None,
    theta: Annotated[float | None, typer.Option(help="Heston: variance in the long run.")] = None,
    xi: Annotated[float | None, typer.Option(help="Heston: volatility of variance.")] = None,
    rho: Annotated[float | None, typer.Option(help="Heston: correlation of spot and variance.")] = None,
    file: Annotated[
        Path | None, typer.Option("--model", help="Heston: model.json as `quantjax calibrate` writes it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Price calls (or puts) by MODEL, or with black --price find the volatility of a price."""
    if model not in ("black", "heston"):
        raise typer.BadParameter(f"expected a model of black, heston, got {model!r}")
    if (spot is None) == (forward is None):
        raise typer.BadParameter("expected --spot or --forward, one of them")
    if model == "black" and (vol is None) == (price is None):
        raise typer.BadParameter("expected --vol (for prices) or --price (for volatilities), one of them")
    at, times = numbers(strikes), numbers(maturities)
    if not at or not times:
        raise typer.BadParameter("expected at least one strike and one maturity")
    for name, values in (
        ("strikes", at),
        ("maturities", times),
        ("spot", (spot,)),
        ("forward", (forward,)),
        ("--vol", (vol,)),
    ):
        if not all(value is None or 0 < value < math.inf for value in values):
            raise typer.BadParameter(f"expected {name} above 0, got {', '.join(map(str, values))}")
        if len(set(values)) < len(values):
            raise typer.BadParameter(f"expected each of the {name} once, got {', '.join(map(str, values))}")
    parameters: dict[str, float | None] = dict(zip(_PARAMETERS, (v0, kappa, theta, xi, rho), strict=True))
    for name, value in {"rate": rate, "dividend": dividend, **parameters}.items():
        if value is not None and not math.isfinite(value):
            raise typer.BadParameter(f"expected --{name} as a finite number, got {value}")
    if dividend and spot is None:
        raise typer.BadParameter("expected --dividend with --spot; a --forward has it in itself")
    given = [f"--{name}" for name, value in parameters.items() if value is not None]
    if model == "black" and (given or file is not None):
        raise typer.BadParameter(f"expected no parameters of Heston for black, got {', '.join(given) or '--model'}")
    if model == "heston" and (vol is not None or price is not None):
        raise typer.BadParameter("expected --vol and --price with black only")
    if file is not None and given:
        raise typer.BadParameter(f"expected --model FILE or parameters, got both: {', '.join(given)}")
    if model == "heston" and file is None and None in parameters.values():
        missing = ", ".join(f"--{name}" for name, value in parameters.items() if value is None)
        raise typer.BadParameter(f"expected the parameters of Heston, or --model FILE; {missing} missing")
    quoted = None if price is None else numbers(price)
    if quoted is not None and len(quoted) != len(at):
        raise typer.BadParameter(f"expected a price for each of {len(at)} strikes, got {len(quoted)}")
    if quoted is not None and any(value < 0 for value in quoted):
        raise typer.BadParameter(f"expected prices of 0 or more, got {price}")
    import jax.numpy as jnp

    from quantjax import pricing

    strike, maturity = jnp.array(at), jnp.array(times)
    carried = pricing.forward_curve(spot, rate, dividend, maturity) if spot else jnp.full(len(times), forward or 0.0)
    discount = jnp.exp(-rate * maturity)
    column = (carried[:, None], strike, maturity[:, None])
    call = not put
    error = jnp.zeros((len(times), len(at)))
    if model == "heston":
        surface = {"forward": carried, "discount": discount, "call": call}
        heston = _heston(parameters, file)
        values = pricing.price(heston, strike, maturity, **surface)
        error = pricing.price_error(heston, strike, maturity, **surface) + _ROUNDING * (carried * discount)[:, None]
    elif quoted is not None:
        values = jnp.broadcast_to(jnp.array(quoted), (len(times), len(at)))
    else:
        values = pricing.black_price(*column, vol, discount[:, None], call)
    vols = pricing.implied_vol(values, *column, discount[:, None], call)
    intrinsic = discount[:, None] * jnp.maximum((1 - 2 * put) * (carried[:, None] - strike), 0.0)
    vols = jnp.where(values - intrinsic > error, vols, jnp.nan)  # else a vol of nothing but the error
    if bool(jnp.isnan(vols).any()):
        say("no implied volatility where a price has no time value, or none above the error of its computation")
    result = {
        "model": model,
        "option": "call" if call else "put",
        "forward": dict(zip(map(_key, times), carried.tolist(), strict=True)),
        "prices": _table(times, at, values),
        "implied_vols": _table(times, at, vols),
    }
    show(result, as_json=as_json)


def _heston(parameters: dict[str, float | None], file: Path | None) -> Heston:
    from quantjax import io, pricing

    if file is None:
        return pricing.Heston(**parameters)  # pyright: ignore[reportArgumentType]
    found = io.read_model(file)
    if not isinstance(found, pricing.Heston):
        raise ValueError(f"{file}: expected a Heston model, got {type(found).__name__}")
    return found


def _table(times: tuple[float, ...], at: tuple[float, ...], values) -> dict[str, dict[str, float | None]]:
    """By maturity and strike; None where there is no number."""
    return {
        _key(time): {_key(strike): None if value != value else value for strike, value in zip(at, row, strict=True)}
        for time, row in zip(times, values.tolist(), strict=True)
    }


def _key(value: float) -> str:
    return f"{value:.12g}"
