"""Price impact of order flow: the regression of price changes on order flow imbalance, by horizon and by window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from quantjax.lob.book import BookSeries
from quantjax.lob.flow.imbalance import OrderFlowImbalance, aggregate, check_times
from quantjax.lob.intervals import interval_ns
from quantjax.lob.padding import padded_length
from quantjax.lob.trades.intervals import require_few
from quantjax.numerics.arguments import whole_number
from quantjax.numerics.regression import Homoskedastic, NeweyWest, Regression, White, ols

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImpactByHorizon", "ImpactByWindow", "impact_by_horizon", "impact_by_window", "price_impact"]

Errors = Homoskedastic | White | NeweyWest
HORIZONS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class ImpactByHorizon(eqx.Module):
    """Price impact regressions by the length of the interval in seconds.

    `contemporaneous[h]`: change of mid over an interval of h seconds on the order flow of the same interval;
    `predictive[h]`: change of mid over the next interval, of the same length, on it. Price changes in ticks.
    """

    contemporaneous: dict[float, Regression]
    predictive: dict[float, Regression]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each horizon: R^2, number of intervals, and beta and its t statistic by level, of both kinds."""
        import pandas as pd

        rows = {}
        for horizon in self.contemporaneous:
            row = rows[horizon] = {}
            for kind in ("contemporaneous", "predictive"):
                fit: Regression = getattr(self, kind)[horizon]
                row[f"{kind}_r_squared"] = float(fit.r_squared)
                row[f"{kind}_intervals"] = int(fit.num_observations)
                for level, (beta, t_stat) in enumerate(zip(fit.coefficients, fit.t_stat, strict=True), start=1):
                    row[f"{kind}_beta_{level}"], row[f"{kind}_t_stat_{level}"] = float(beta), float(t_stat)
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("horizon_s")


class ImpactByWindow(eqx.Module):
    """Price impact by window, and how it falls with depth: beta_i = c / depth_i^lambda.

    `regression`: the windows' regressions, batched `[window]`; `depth` `[window]`: mean depth of the best level over
    the books of the window, base currency; `scaling`: ln beta_i on ln depth_i, whose `num_dropped` are the windows
    without a positive beta. `num_left_out`: intervals after the last whole window.
    """

    regression: Regression
    depth: Float[jax.Array, " window"]
    scaling: Regression
    num_left_out: int

    @property
    def beta(self) -> Float[jax.Array, " window"]:
        """Ticks for one unit of base currency, `[window]`."""
        return self.regression.coefficients[:, 0]

    @property
    def exponent(self) -> Float[jax.Array, ""]:
        """lambda of beta = c / depth^lambda; its standard error is `scaling.std_error[0]`."""
        return -self.scaling.coefficients[0]

    @property
    def scale(self) -> Float[jax.Array, ""]:
        """c of beta = c / depth^lambda; with an exponent of 1, near 1/2 in a book of equal queues one tick apart."""
        return jnp.exp(self.scaling.intercept)


def price_impact(
    imbalance: OrderFlowImbalance, *, lead: int = 0, levels: int = 1, errors: Errors | None = None
) -> Regression:
    """Regression of price changes on order flow: dP_{k+lead} = alpha + sum_m beta_m OFI^m_k + e_k.

    dP: change of mid in ticks, OFI in base currency, so beta in ticks for one unit of it, `coefficients [level]`.
    `lead`: 0, the flow's own interval (contemporaneous), or how many intervals later (predictive: 1). `levels`: the
    flows of how many of the best levels are regressors. `errors`: `White()` by default. Intervals without a mid, with
    an invalid book, or that reach beyond the first or the last book are left out and counted.

    Driver. Raises ValueError for a negative `lead`, or more levels than there are. Source: Cont, Kukanov & Stoikov
    (2014), eq. 7; by level Xu, Gould & Howison (2018), eq. 9.
    """
    levels, lead = whole_number(levels, "levels"), whole_number(lead, "lead", 0)
    if levels > imbalance.ofi.shape[1]:
        raise ValueError(f"expected levels <= {imbalance.ofi.shape[1]}, those of the imbalance, got {levels}")
    flow, change = imbalance.ofi[:, :levels], imbalance.mid_change
    if lead >= len(change):
        raise ValueError(f"expected more than {lead} intervals, got {len(change)}")
    return _fit(flow[: len(flow) - lead], change[lead:], White() if errors is None else errors)


def impact_by_horizon(
    series: BookSeries,
    horizons_s: float | str | Sequence[float | str] = HORIZONS_S,
    *,
    levels: int = 1,
    errors: Errors | None = None,
) -> ImpactByHorizon:
    """Price impact by horizon: `price_impact` on intervals of each length in seconds, contemporaneous and predictive.

    The intervals of a horizon follow one another without overlap from the first book on, whole ones only. A horizon is
    a number of seconds or a text ("100ms"); the results are by its seconds. `levels`, `errors` as in `price_impact`.

    Driver. Raises TypeError for what is no `BookSeries`, ValueError for horizons that are not positive, repeated,
    longer than half of the series, or of more than ten million intervals.
    """
    levels = whole_number(levels, "levels")
    given = [horizons_s] if isinstance(horizons_s, str) or np.ndim(horizons_s) == 0 else list(horizons_s)  # pyright: ignore[reportArgumentType]
    horizons = [interval_ns(one, "horizons_s") / 1e9 if isinstance(one, str) else float(one) for one in given]  # pyright: ignore[reportArgumentType]
    if not horizons or not all(0 < horizon < np.inf for horizon in horizons) or len(set(horizons)) < len(horizons):
        raise ValueError(f"expected positive horizons_s without repeats, got {horizons_s!r}")
    time_ns = check_times(series)
    lengths = [round(1e9 * horizon) for horizon in horizons]
    counts = [int((time_ns[-1] - time_ns[0]) // length) if length else 0 for length in lengths]
    if min(counts) < 2:
        duration_s = 1e-9 * float(time_ns[-1] - time_ns[0])
        raise ValueError(f"expected horizons_s up to half of the {duration_s:g} s of books, got {horizons_s!r}")
    require_few(max(counts), "intervals", f"{min(horizons):g} s")
    # Shorter grids are padded with NaN, which the regression leaves out: one fit for all.
    room = max(counts)
    flow = np.full((len(horizons), 2, room, levels), np.nan, series.book.bid_size.dtype)
    change = np.full(flow.shape[:-1], np.nan, flow.dtype)
    for row, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        edges_ns = time_ns[0] + length * np.arange(count + 1, dtype=np.int64)
        rows = np.searchsorted(time_ns, edges_ns, side="right") - 1
        imbalance = aggregate(series, rows, edges_ns, levels)
        for lead in (0, 1):
            flow[row, lead, : count - lead] = imbalance.ofi[: count - lead]
            change[row, lead, : count - lead] = imbalance.mid_change[lead:]
    fits = _fit(flow, change, White() if errors is None else errors)
    padding = room - np.array(counts)[:, None] + np.arange(2)
    fits = eqx.tree_at(lambda fit: fit.num_dropped, fits, fits.num_dropped - padding)
    by_kind = [
        {horizon: jax.tree.map(lambda array: array[row, lead], fits) for row, horizon in enumerate(horizons)}  # noqa: B023
        for lead in (0, 1)
    ]
    return ImpactByHorizon(*by_kind)


def impact_by_window(
    imbalance: OrderFlowImbalance, intervals_per_window: int, *, errors: Errors | None = None
) -> ImpactByWindow:
    """Price impact in each window of consecutive intervals, and its dependence on depth: beta = c / depth^lambda.

    dP_k = alpha_i + beta_i OFI_k + e_k over the intervals k of window i, best level; then ln beta_i = ln c - lambda ln
    depth_i + e_i over the windows. The paper takes windows of 180 intervals of 10 seconds. `errors`, of both
    regressions: `White()` by default. Windows whose beta is not positive have no logarithm: they are left out of the
    second regression and counted.

    Driver. Raises ValueError for `intervals_per_window < 3` and for fewer than one whole window. Source: Cont, Kukanov
    & Stoikov (2014), eqs. 10-11.
    """
    intervals_per_window = whole_number(intervals_per_window, "intervals_per_window", 3)
    num_windows, num_left_out = divmod(len(imbalance), intervals_per_window)
    if num_windows < 1:
        raise ValueError(f"expected at least {intervals_per_window} intervals, got {len(imbalance)}")
    errors = White() if errors is None else errors

    def windows(array):
        return array[: num_windows * intervals_per_window].reshape(num_windows, intervals_per_window)

    regression = _fit(windows(imbalance.ofi[:, 0])[..., None], windows(imbalance.mid_change), errors)
    events, depth = windows(imbalance.num_events), windows(imbalance.depth[:, 0])
    # Where no book came the depth is that of a book which stands; beyond the first and the last it is unknown.
    events = np.where(np.isfinite(depth), events, 0)
    weighted = (events * np.where(events > 0, depth, 0.0)).sum(1)
    depth = np.where(events.any(1), weighted / np.maximum(events.sum(1), 1), np.nan).astype(imbalance.depth.dtype)
    beta = np.asarray(regression.coefficients[:, 0])
    positive = (beta > 0) & (depth > 0)
    log_beta, log_depth = (np.where(positive, np.log(np.where(positive, a, 1)), np.nan) for a in (beta, depth))
    scaling = _fit(log_depth.astype(depth.dtype)[:, None], log_beta.astype(depth.dtype), errors)
    return ImpactByWindow(regression, jnp.asarray(depth), scaling, num_left_out)


def _fit(x: np.ndarray, y: np.ndarray, errors: Errors) -> Regression:
    """`ols` of numpy arrays, with rows of NaN up to a length that many share: compiled for a few lengths, not for each.

    Those rows are not counted as dropped, and a batch of fits is padded with fits of such rows alone.
    """
    shape = [*x.shape[:-1]]
    room = [padded_length(length, 64 if axis == len(shape) - 1 else 1) for axis, length in enumerate(shape)]
    more = [(0, wide - length) for length, wide in zip(shape, room, strict=True)]
    fits = _compiled(
        np.pad(x, [*more, (0, 0)], constant_values=np.nan), np.pad(y, more, constant_values=np.nan), errors
    )
    # In numpy: JAX compiles a slice for each length.
    wanted = tuple(slice(length) for length in shape[:-1])
    fits = jax.tree.map(lambda array: jnp.asarray(np.asarray(array)[wanted]), fits)
    return eqx.tree_at(lambda fit: fit.num_dropped, fits, fits.num_dropped - more[-1][1])


@jax.jit
def _compiled(x: jax.Array, y: jax.Array, errors: Errors) -> Regression:
    return ols(x, y, errors=errors)
