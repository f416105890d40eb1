"""What did takers pay, who kept it, and could we have told who bought?

Trades are joined to the book that stood strictly before them, on one clock; the effective spread splits exactly into
what makers kept and what the price moved. Run it as `python examples/trade_costs.py [RECORDING]`.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)  # prices want double precision

import numpy as np
from recording import OUT, chosen_recording

from quantjax import io, lob
from quantjax.report import spread_split_by_horizon, vpin_over_time

# One clock for both: a recorder's may run a second behind the venue's.
data = io.read_books(chosen_recording(), levels=1, clock="exchange")
symbol = next(symbol for symbol, trades in data.trades.items() if len(trades))
series = lob.clean(data.series[symbol]).books
assert isinstance(series, lob.BookSeries)
trades = lob.clean_trades(data.trades[symbol]).trades
print(f"{symbol}: {len(series):,} books, {len(trades):,} trades")

# Who started the trade? Three rules, judged by the recorded sides.
signs = lob.sign_trades(trades, series)
print("right:", {rule: round(share, 3) for rule, share in signs.accuracy.items()})
unknown = np.asarray(trades.side) == 0
side = np.where(unknown, signs.lee_ready, np.asarray(trades.side))
trades = lob.TradeSeries(trades.time_ns, trades.price, trades.size, side, symbol)

# Effective spread = realised spread + price impact, to the last bit, at every horizon.
costs = lob.trade_costs(trades, series, horizons_s=(0.5, 1.0, 2.0, 5.0, 10.0, 30.0))
means = costs.summary()
print(f"effective spread {means.effective_bps:.3f} bps over {means.trades:,} trades")
for horizon, realised in means.realised_bps.items():
    print(f"  {horizon:4g} s: realised {realised:7.3f} + impact {means.impact_bps[horizon]:7.3f} bps")
known = ~np.isnan(costs.realised_bps[1.0])
assert (costs.effective_bps == costs.realised_bps[1.0] + costs.impact_bps[1.0])[known].all()
print("left out:", {name: count for name, count in costs.counts.items() if count and name not in ("trades", "joined")})

# From trades alone: Kyle's lambda and Amihud's ratio by intervals of 5 s, VPIN in fifty buckets of equal volume.
found = lob.illiquidity(trades, 5.0)
print(f"Kyle's lambda {float(found.kyle.coefficients[0]):.4g} (R² {float(found.kyle.r_squared):.2f})")
print(f"Amihud's ratio {float(found.amihud.value):.4g}")
sizes = np.round(np.asarray(trades.size), 8)  # contracts turned into coins are no whole lots
rounded = lob.TradeSeries(trades.time_ns, trades.price, sizes, side, symbol)
vpin = lob.vpin(rounded, round(float(sizes.sum()) / 50, 8), window=10)
print(f"VPIN at the end {vpin.vpin[-1]:.2f}")

OUT.mkdir(parents=True, exist_ok=True)
spread_split_by_horizon(costs).savefig(OUT / "trade_costs.png", dpi=160)
vpin_over_time(vpin).savefig(OUT / "vpin.png", dpi=160)
print("figures in", OUT)
