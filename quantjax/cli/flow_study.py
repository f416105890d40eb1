"""The study of one symbol's order flow and trades, over its stretches in sync."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quantjax import lob
    from quantjax.cli.stretches import Stretch
    from quantjax.report import FlowStudy, IntegratedImpact, TruthCheck

__all__ = ["HORIZONS_S", "study_flow"]

HORIZONS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
SOONER_S = (0.1, 0.5)  # a fair price foresees what is near: these are added for the predictors
MIN_BOOKS = 200  # for a micro-price to be fitted to half of them
MIN_INTERVALS = 10  # of a regression, and of each half where it is fitted to one and judged on the other
MIN_HALF_MOVES = 3  # of each half, where the whole has enough of them
SCATTER_S = 10.0


def study_flow(
    stretches: Sequence[Stretch],
    *,
    horizons_s: Sequence[float] = HORIZONS_S,
    max_age_s: float | None = 60.0,
    quotes: TruthCheck | None = None,
    counts: dict[str, int] | None = None,
    notes: Sequence[str] = (),
) -> FlowStudy:
    """Order-flow impact by horizon, fair prices on the second half, trade costs and trade measures. Driver.

    `stretches`: as `cut_stretches` gives them, at least one; regressions and means take all of them together, and
    nothing is measured across a gap. `max_age_s`: trades are not joined to books that are older. What cannot be
    measured is left out and said in the notes. Raises ValueError for no stretches and bad horizons.
    """
    from quantjax.cli.trade_study import study_trades
    from quantjax.report import FlowStudy

    if not stretches:
        raise ValueError("expected at least one stretch in sync with enough books, got none")
    horizons = sorted({float(horizon) for horizon in horizons_s})
    if not horizons or horizons[0] <= 0:
        raise ValueError(f"expected horizons > 0 in seconds, got {horizons_s!r}")
    books = [stretch.books for stretch in stretches]
    levels = min(series.book.levels for series in books)
    said, counted = list(notes), dict(counts or {})
    impact, imbalances = _impact(stretches, horizons, said)
    model, predictors = _fair_prices(books, [*(s for s in SOONER_S if s < horizons[0]), *horizons], said, counted)
    scatter_s = min(imbalances, key=lambda horizon: abs(np.log(horizon / SCATTER_S)), default=0.0)
    trades = study_trades(stretches, horizons, max_age_s, said, counted)
    return FlowStudy(
        symbol=books[0].symbol,
        stretches=len(stretches),
        seconds=sum(1e-9 * float(series.time_ns[-1] - series.time_ns[0]) for series in books),
        books=sum(map(len, books)),
        levels=levels,
        trades=sum(len(stretch.trades) for stretch in stretches if stretch.trades is not None),
        span_ns=(int(books[0].time_ns[0]), int(books[-1].time_ns[-1])),
        tick_size=float(books[0].tick_size),
        quotes=quotes,
        impact=impact,
        integrated=_integrated(stretches, imbalances, levels, said),
        scatter=imbalances.get(scatter_s),
        scatter_s=scatter_s,
        microprice=model,
        predictors=predictors,
        **trades,
        counts=counted,
        notes=tuple(said),
    )


def _impact(
    stretches: Sequence[Stretch], horizons: Sequence[float], notes: list[str]
) -> tuple[lob.ImpactByHorizon | None, dict[float, lob.OrderFlowImbalance]]:
    """Price impact of the best level's flow, over all stretches; and the intervals of each horizon with enough."""
    import equinox as eqx

    from quantjax import lob
    from quantjax.cli.stretches import pooled_imbalance

    found: dict[float, lob.OrderFlowImbalance] = {}
    short, still = [], []
    for horizon in horizons:
        imbalance = pooled_imbalance(stretches, round(1e9 * horizon), levels=1)
        if imbalance is None or np.isfinite(imbalance.mid_change).sum() < MIN_INTERVALS:
            short.append(f"{horizon:g}")
        elif not _tells(imbalance):
            still.append(f"{horizon:g}")
        else:
            found[horizon] = imbalance
    if short:
        notes.append(f"fewer than {MIN_INTERVALS} intervals of {', '.join(short)} s: no regression at these horizons")
    if still:
        notes.append(
            f"too few moves at {', '.join(still)} s (fewer than {MIN_INTERVALS} intervals with order flow, or with a "
            "move of the mid): no regression at these horizons"
        )
    if not found:
        return None, {}
    room = _room(max(map(len, found.values())))
    fits = []
    for lead in (0, 1):
        by_horizon = {}
        for horizon, imbalance in found.items():
            fit = lob.price_impact(_padded(imbalance, room), lead=lead)
            # Neither the padding nor the gaps between stretches are intervals that were dropped.
            gaps = int(np.count_nonzero(np.isnan(imbalance.ofi[:, 0]) & (imbalance.num_events == 0)))
            unreal = room - len(imbalance) + gaps * (1 + lead)
            by_horizon[horizon] = eqx.tree_at(lambda fit: fit.num_dropped, fit, fit.num_dropped - unreal)
        fits.append(by_horizon)
    return lob.ImpactByHorizon(*fits), found


def _integrated(
    stretches: Sequence[Stretch], horizons: dict[float, lob.OrderFlowImbalance], levels: int, notes: list[str]
) -> dict[float, IntegratedImpact]:
    """Out of sample: best level against the levels integrated, fitted to the first half of the intervals."""
    import jax
    import jax.numpy as jnp

    from quantjax import lob
    from quantjax.cli.stretches import pooled_imbalance
    from quantjax.numerics.regression import ols
    from quantjax.report import IntegratedImpact

    fit_all, fit_weights = jax.jit(ols), jax.jit(lob.fit_integrated_order_flow)
    found = {}
    room = _room(max(map(len, horizons.values()), default=1))
    for horizon in horizons:
        imbalance = pooled_imbalance(stretches, round(1e9 * horizon), levels)
        assert imbalance is not None
        half = len(imbalance) // 2
        if np.isfinite(imbalance.mid_change[:half]).sum() <= MIN_INTERVALS:
            continue
        if not all(_tells(imbalance, rows, MIN_HALF_MOVES) for rows in (slice(half), slice(half, None))):
            continue
        whole = _padded(imbalance, room)
        flow, change = whole.normalised, whole.mid_change
        model = fit_weights(np.where(np.arange(room)[:, None] < half, flow, np.nan))
        x = jnp.stack([jnp.asarray(flow[:, 0]), model(flow)])[:, None, :, None]
        y = jnp.stack([jnp.asarray(change), jnp.append(change[1:], jnp.nan)])[None]
        # The flow of the last interval of the half would be fitted to a change of the other half.
        first = jnp.arange(room) < half - jnp.arange(2)[:, None]
        fit = fit_all(jnp.broadcast_to(x, (2, 2, room, 1)), jnp.where(first, y, jnp.nan) + jnp.zeros((2, 1, 1)))
        own = np.asarray(y - fit.predict(x))[..., half:]
        mean = np.nanmean(np.where(first, y, np.nan)[0], axis=-1)
        base = np.asarray(y)[0, :, None, half:] - mean[:, None, None]
        used = np.isfinite(own) & np.isfinite(base[:, 0])
        if used.sum(-1).min() < MIN_INTERVALS:
            continue
        squares = np.where(used, own, 0.0) ** 2
        around = np.where(used, base[:, 0], 0.0) ** 2
        r_squared = 1 - squares.sum(-1) / np.where(around.sum(-1) > 0, around.sum(-1), np.nan)
        found[horizon] = IntegratedImpact(
            weights=np.asarray(model.weights),
            explained_variance_ratio=float(model.explained_variance_ratio),
            best_level=float(r_squared[0, 0]),
            integrated=float(r_squared[1, 0]),
            best_level_next=float(r_squared[0, 1]),
            integrated_next=float(r_squared[1, 1]),
            intervals=(int(fit.num_observations[0, 0]), int(used[0, 0].sum())),
        )
    if missing := [f"{horizon:g}" for horizon in horizons if horizon not in found]:
        notes.append(
            f"too few intervals or moves at {', '.join(missing)} s in one of the halves: all levels are not judged "
            "out of sample at these horizons"
        )
    return found


def _fair_prices(
    series: Sequence[lob.BookSeries], horizons: Sequence[float], notes: list[str], counts: dict[str, int]
) -> tuple[lob.StoikovMicroprice | None, dict[str, dict[float, lob.PredictorErrors]]]:
    """Stoikov's micro-price fitted to the first half of all books; it and the weighted mid judged on the second."""
    import equinox as eqx

    from quantjax import lob

    books = sum(map(len, series))
    if books < MIN_BOOKS:
        notes.append(f"fewer than {MIN_BOOKS} books: no micro-price was fitted and no forecasts were judged")
        return None, {}
    first, second, passed = [], [], 0
    for one in series:
        cut = min(max(books // 2 - passed, 0), len(one))
        first += [one[:cut]] if cut > 1 else []
        second += [one[cut:]] if len(one) - cut > 1 else []
        passed += len(one)
    spreads = np.concatenate([np.asarray(lob.spread_ticks(one.book, one.tick_size)) for one in first])
    spreads = spreads[spreads > 0]
    if not len(spreads):
        notes.append("no book of the first half has a spread: no micro-price was fitted")
        return None, {}
    widest = int(np.clip(np.rint(np.quantile(spreads, 0.95)), 1, 20))
    try:
        model = lob.fit_stoikov_microprice(first, max_spread_ticks=widest)
    except ValueError as error:
        notes.append(f"no micro-price was fitted: {error}")
        return None, {}
    counts |= {f"microprice_{name}": model.counts[name] for name in ("invalid", "wide")}

    # The mid after its next change alone, G1, beside where it ends up, G*.
    next_model = eqx.tree_at(lambda one: one.adjustment, model, model.first_adjustment)
    candidates: dict[str, list[np.ndarray]] = {"weighted mid": [], "micro-price, next move": [], "micro-price": []}
    prices = dict(zip(candidates, (lob.microprice, next_model, model), strict=True))
    mids: list[np.ndarray] = []
    futures: dict[float, list] = {horizon: [] for horizon in (0.0, *horizons)}
    for one in second:
        mids.append(np.asarray(lob.mid(one.book)))
        for name, price in prices.items():
            candidates[name].append(np.asarray(price(one.book)))
        for horizon, found in futures.items():
            found.append(
                lob.future_mids(one.time_ns, one, horizon).mid if horizon else np.asarray(lob.next_mid(mids[-1]))
            )
    mid = np.concatenate(mids)
    forecasts = {name: np.concatenate(parts) for name, parts in candidates.items()}
    # All are judged on the same books: those that every one of them has a price for.
    known = np.isfinite(mid) & np.all([np.isfinite(price) for price in forecasts.values()], axis=0)
    counts["books_without_fair_price"] = int(np.count_nonzero(~known))
    return model, {
        name: {
            horizon: lob.predictor_errors(price, np.where(known, mid, np.nan), np.concatenate(future))
            for horizon, future in futures.items()
            if _moves(np.concatenate(future)[known] - mid[known])
        }
        for name, price in forecasts.items()
    }


def _tells(imbalance: lob.OrderFlowImbalance, rows: slice = slice(None), least: int = MIN_INTERVALS) -> bool:
    """Whether a regression on these intervals says anything: through a handful of moves a line always fits."""
    flow, change = imbalance.ofi[rows, 0], imbalance.mid_change[rows]
    known = np.isfinite(flow) & np.isfinite(change)
    return bool(min(np.count_nonzero(flow[known]), np.count_nonzero(change[known])) >= least)


def _moves(change: np.ndarray) -> bool:
    """Whether there is something to foresee: nothing moves within the time between two books."""
    finite = change[np.isfinite(change)]
    return len(finite) >= MIN_INTERVALS and bool(finite.any())


def _room(rows: int) -> int:
    """A length that many share: kernels are compiled for each one."""
    return max(64, 1 << (rows - 1).bit_length())


def _padded(imbalance: lob.OrderFlowImbalance, room: int) -> lob.OrderFlowImbalance:
    """With intervals of NaN up to `room` of them, which fits leave out."""
    import equinox as eqx

    more = room - len(imbalance)
    fill = lambda array: np.pad(array, ((0, more), *((0, 0),) * (array.ndim - 1)), constant_values=np.nan)  # noqa: E731
    where = lambda one: (one.mid_change, one.ofi, one.depth)  # noqa: E731
    return eqx.tree_at(where, imbalance, tuple(map(fill, where(imbalance))))
