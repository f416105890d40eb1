"""A study of order flow as plain numbers: what the command line prints and JSON holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from quantjax.lob import TradeCosts
from quantjax.report.flow_contents import FlowStudy

__all__ = ["flow_numbers", "measure_label", "quoted_spread_bps"]


def flow_numbers(study: FlowStudy) -> dict[str, Any]:
    """Nested dicts of numbers, None where one is not defined; keys of horizons are seconds (`"10"`).

    Spreads in basis points of the mid, errors of forecasts in ticks, lambda and Amihud's ratio in their own units.
    """
    found: dict[str, Any] = {
        "stretches": study.stretches,
        "seconds": study.seconds,
        "books": study.books,
        "levels": study.levels,
        "trades": study.trades,
        "tick_size": study.tick_size,
    }
    if study.quotes is not None:
        found["quotes"] = {
            "compared": study.quotes.compared,
            "different": study.quotes.compared - study.quotes.equal,
        }
    if study.impact is not None:
        found["impact"] = {
            f"{horizon:g}": {
                kind: {
                    "r_squared": _number(fit.r_squared),
                    "beta": _number(fit.coefficients[0]),
                    "t_stat": _number(fit.t_stat[0]),
                    "intervals": int(fit.num_observations),
                    "dropped": int(fit.num_dropped),
                }
                for kind, fit in (
                    ("contemporaneous", study.impact.contemporaneous[horizon]),
                    ("predictive", study.impact.predictive[horizon]),
                )
            }
            for horizon in study.impact.contemporaneous
        }
    if study.integrated:
        names = ("best_level", "integrated", "best_level_next", "integrated_next", "explained_variance_ratio")
        found["integrated_out_of_sample"] = {
            f"{horizon:g}": {name: _number(getattr(one, name)) for name in names}
            for horizon, one in study.integrated.items()
        }
    if study.predictors:
        found["predictors"] = {
            name: {
                f"{horizon:g}" if horizon else "next change": {
                    "r_squared": _number(errors.r_squared),
                    "rmse_ticks": _number(errors.rmse / study.tick_size),
                    "mid_rmse_ticks": _number(errors.mid_rmse / study.tick_size),
                    "books": int(errors.num_observations),
                }
                for horizon, errors in by_horizon.items()
            }
            for name, by_horizon in study.predictors.items()
        }
    found |= _trades(study)
    return found | {"counts": dict(study.counts), "notes": list(study.notes)}


def _trades(study: FlowStudy) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if study.costs is not None:
        means = study.costs.summary()
        ages = study.costs.joined.age_s[study.costs.joined.row >= 0]
        found["costs_bps"] = {
            "effective": _number(means.effective_bps),
            "quoted": _number(quoted_spread_bps(study.costs)),
            "trades": means.trades,
            "median_book_age_s": _number(np.median(ages)) if len(ages) else None,
            "by_horizon": {
                f"{horizon:g}": {
                    "realised": _number(means.realised_bps[horizon]),
                    "impact": _number(means.impact_bps[horizon]),
                    "effective": _number(means.effective_at_bps[horizon]),
                    "trades": means.trades_at[horizon],
                }
                for horizon in means.realised_bps
            },
        }
    if study.imbalance is not None:
        found["trade_imbalance"] = {
            "imbalance": _number(study.imbalance.imbalance),
            "bought": _number(study.imbalance.buy),
            "sold": _number(study.imbalance.sell),
        }
    if study.signs is not None:
        found["signing_accuracy"] = {rule: _number(share) for rule, share in study.signs.accuracy.items()}
    measures = study.measures
    if measures is not None:
        found["measures"] = one = {
            "seconds": measures.seconds,
            "interval_s": measures.interval_s,
            "roll_bps": measures.roll_bps,
        }
        if (illiquidity := measures.illiquidity) is not None:
            one |= {
                "kyle_lambda": _number(illiquidity.kyle.coefficients[0]),
                "kyle_r_squared": _number(illiquidity.kyle.r_squared),
                "hasbrouck_lambda": _number(illiquidity.hasbrouck.coefficients[0]),
                "amihud": _number(illiquidity.amihud.value),
            }
        if (vpin := measures.vpin) is not None:
            one |= {"vpin_last": _number(vpin.vpin[-1]) if len(vpin) else None, "vpin_buckets": len(vpin)}
        if (variances := measures.variances) is not None:
            # Not by the year: a day of an exchange that closes is no 24 hours.
            by_name = {name: float(getattr(variances, name)) for name in ("realised", "bipower", "two_scale")}
            one |= {f"{name}_variance": _number(variance) for name, variance in by_name.items()}
            one |= {
                f"{name}_volatility_percent": 100 * math.sqrt(variance) if 0 <= variance < math.inf else None
                for name, variance in by_name.items()
            }
    return found


def quoted_spread_bps(costs: TradeCosts) -> float:
    """Mean spread in basis points of the books that the trades met, weighted by their volume as the effective one is.

    NaN where no trade has an effective spread.
    """
    joined, known = costs.joined, ~np.isnan(costs.effective_bps)
    quoted = 1e4 * (joined.ask - joined.bid).astype(np.float64)[known] / joined.mid[known]
    size = costs.size[known].astype(np.float64)
    return float((size * quoted).sum() / size.sum()) if size.sum() > 0 else math.nan


def measure_label(name: str, stretches: int) -> str:
    """A measure's key in words; volatilities say what they are over: trade measures are of the longest stretch."""
    over = "longest stretch" if stretches > 1 else "recording"
    return name.replace("_volatility_percent", f"_volatility over the {over}, %").replace("_", " ")


def _number(value) -> float | None:
    """A Python float, None where it is not finite: JSON knows no NaN."""
    number = float(value)
    return number if math.isfinite(number) else None
