"""The trades of a study: what they cost their takers, who started them, and what they say by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from quantjax import lob
    from quantjax.cli.stretches import Stretch
    from quantjax.report import TradeMeasures

__all__ = ["study_trades"]

Result = TypeVar("Result")

MIN_TRADES = 10
STEPS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
MIN_STEPS = 50  # of the intervals that variance and illiquidity are measured by
BUCKETS, WINDOW = 50, 10  # VPIN: buckets of the whole volume, and how many it is the mean over
STALE = 5  # times the quoted spread: takers do not pay so much, the book has moved on
LOT = 1e-8  # the finest size that any venue here trades


def study_trades(
    stretches: Sequence[Stretch],
    horizons_s: Sequence[float],
    max_age_s: float | None,
    notes: list[str],
    counts: dict[str, int],
) -> dict[str, Any]:
    """The fields of a `FlowStudy` that are about trades: costs, imbalance, signs and measures. Driver.

    Costs, imbalance and signs are over all stretches; the measures, which follow trades in their order, over the
    longest. Adds to `notes` and `counts`.
    """
    import jax.numpy as jnp

    from quantjax import lob
    from quantjax.report.flow_numbers import quoted_spread_bps

    if all(stretch.trades is None for stretch in stretches):
        notes.append("the recording holds no trades: no costs, signs or trade measures")
        return {}
    traded = [(one.trades, one.books) for one in stretches if one.trades is not None and len(one.trades)]
    if sum(len(trades) for trades, _ in traded) < MIN_TRADES:
        notes.append(f"fewer than {MIN_TRADES} trades in sync: no costs, signs or trade measures")
        return {}
    signs = _together([lob.sign_trades(trades, books) for trades, books in traded])
    known = signs.side != 0
    counts["trades_side_unknown"] = int(np.count_nonzero(~known))
    sided, start = [], 0
    for trades, books in traded:
        guess = signs.lee_ready[start : start + len(trades)]
        start += len(trades)
        side = np.where(np.asarray(trades.side) != 0, np.asarray(trades.side), guess)
        again = lob.TradeSeries(trades.time_ns, trades.price, trades.size, side, trades.symbol)
        sided.append((again, books))
    if not known.all():
        notes.append(f"{int(np.sum(~known)):,} trades without a recorded side are signed by Lee & Ready's rule")
    costs = _together(
        [lob.trade_costs(trades, books, horizons_s=horizons_s, max_age_s=max_age_s) for trades, books in sided]
    )
    counts |= {f"join_{name}": costs.counts[name] for name in ("before_first_book", "too_old", "one_sided", "crossed")}
    effective, quoted = costs.summary().effective_bps, quoted_spread_bps(costs)
    if effective > STALE * quoted:
        notes.append(
            f"books are older than the moves of the price: the effective spread, {effective:.3g} bps, is more than "
            f"{STALE} times the quoted one, {quoted:.3g} bps, and says little of what takers paid"
        )
    size, side = (np.concatenate([np.asarray(getattr(one, name)) for one, _ in sided]) for name in ("size", "side"))
    longest = max(sided, key=lambda pair: int(pair[1].time_ns[-1] - pair[1].time_ns[0]))
    if len(stretches) > 1:
        notes.append("Roll, Kyle, Amihud, VPIN and the variances are of the longest stretch in sync with trades alone")
    return {
        "costs": costs,
        "imbalance": lob.trade_imbalance(jnp.asarray(size), jnp.asarray(side)),
        "signs": signs if known.any() else None,
        "measures": _measures(longest[0], longest[1], notes),
    }


def _measures(trades: lob.TradeSeries, books: lob.BookSeries, notes: list[str]) -> TradeMeasures:
    """Roll, illiquidity, VPIN and variances of one stretch."""
    import jax.numpy as jnp

    from quantjax import lob
    from quantjax.report import TradeMeasures

    seconds = 1e-9 * float(books.time_ns[-1] - books.time_ns[0])
    step_s = max((step for step in STEPS_S if seconds / step >= MIN_STEPS), default=STEPS_S[0])
    price = np.asarray(trades.price)
    roll_bps = float(1e4 * lob.roll_spread(jnp.asarray(price)) / price.mean()) if len(price) >= MIN_TRADES else None
    if roll_bps is not None and np.isnan(roll_bps):
        notes.append("successive price changes of trades are positively correlated: there is no Roll spread")
        roll_bps = None
    mid = np.asarray(lob.mid(books.book))
    found = None
    if len(price) >= MIN_TRADES:
        # Contracts turned into coins are no whole lots: rounded to them, at most half of 1e-8 off.
        lots = np.rint(np.asarray(trades.size, np.float64) / LOT)
        rounded = (lots * LOT).astype(price.dtype)
        whole = lob.TradeSeries(trades.time_ns, trades.price, rounded, trades.side, trades.symbol)
        bucket = max(1.0, lots.sum() // BUCKETS) * LOT
        try:
            found = lob.vpin(whole, bucket, window=WINDOW, lot_size=LOT)
        except ValueError as error:
            notes.append(f"no VPIN: {error}")
    return TradeMeasures(
        seconds=seconds,
        interval_s=step_s,
        roll_bps=roll_bps,
        illiquidity=lob.illiquidity(trades, step_s) if len(price) >= MIN_TRADES else None,
        vpin=found,
        variances=lob.realised_variances(np.asarray(books.time_ns), mid, step_s),
    )


def _together(results: Sequence[Result]) -> Result:
    """Results of several stretches as one: arrays joined, counts added up."""
    import jax

    if len(results) == 1:
        return results[0]
    join = lambda *parts: np.concatenate(parts) if isinstance(parts[0], np.ndarray) else sum(parts)  # noqa: E731
    return jax.tree.map(join, *results)
