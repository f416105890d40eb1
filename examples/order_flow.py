"""How much of a price move is order flow, and does the flow or the micro-price tell what comes next?

The order flow imbalance of Cont, Kukanov & Stoikov explains price changes of the same interval well and those of the
next one hardly at all; Stoikov's micro-price is fitted to the first half of the books and judged on the second. Run it
as `python examples/order_flow.py [RECORDING]`.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)  # prices want double precision

import numpy as np
from recording import OUT, chosen_recording

from quantjax import io, lob
from quantjax.report import impact_by_horizon_figure, microprice_adjustment, predictor_gains

data = io.read_books(chosen_recording(), levels=5, clock="exchange")
symbol = next(symbol for symbol, series in data.series.items() if len(series))
cleaned = lob.clean(data.series[symbol])
series = cleaned.books
assert isinstance(series, lob.BookSeries)
seconds = 1e-9 * float(series.time_ns[-1] - series.time_ns[0])
print(f"{symbol}: {len(series):,} books over {seconds:.0f} s; {cleaned.counts}")

# R² of mid changes on order flow: in the interval of the flow, and in the next one.
horizons = [h for h in (1.0, 2.0, 5.0, 10.0, 30.0, 60.0) if seconds / h >= 10]
impact = lob.impact_by_horizon(series, horizons)
table = impact.to_pandas()
print(table[["contemporaneous_r_squared", "contemporaneous_t_stat_1", "predictive_r_squared"]].round(3).to_string())

# All levels in one number: weights from the first half of the intervals only.
edges = series.time_ns[0] + np.arange(0, int(series.time_ns[-1] - series.time_ns[0]), 10**9)
flow = lob.order_flow_imbalance(series, edges, levels=series.book.levels)
weights = lob.fit_integrated_order_flow(flow.normalised[: len(flow) // 2])
print("weights of the levels:", np.round(np.asarray(weights.weights), 3))

# Fair prices: fitted to the first half, judged on the second. Above 0 they foresee the mid better than the mid does.
half = len(series) // 2
model = lob.fit_stoikov_microprice(series[:half], max_spread_ticks=10)
later = series[half:]
mid = lob.mid(later.book)
fair = {"weighted mid": lob.microprice(later.book), "micro-price": model(later.book)}
future = {h: lob.future_mids(np.asarray(later.time_ns), later, h).mid for h in (0.1, 0.5, *horizons)}
gains = {
    name: {horizon: lob.predictor_errors(price, mid, then) for horizon, then in future.items()}
    for name, price in fair.items()
}
for name, errors in gains.items():
    print(f"{name}:", {f"{h:g} s": round(float(one.r_squared), 4) for h, one in errors.items()})

OUT.mkdir(parents=True, exist_ok=True)
for name, figure in {
    "order_flow_impact": impact_by_horizon_figure(impact),
    "microprice": microprice_adjustment(model),
    "fair_prices": predictor_gains(gains),
}.items():
    figure.savefig(OUT / f"{name}.png", dpi=160)
print("figures in", OUT)
