"""Trades into bars: by time, by number of trades, by volume, by imbalance, and what each does to the returns.

Bars of equal time are calm and wild by turns; bars of equal volume sample the market by its own clock. Run it as
`python examples/bars.py [RECORDING]`.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)  # prices want double precision

import numpy as np
from recording import OUT, chosen_recording

from quantjax import io, lob
from quantjax.report import candles

data = io.read_books(chosen_recording(), levels=1, clock="exchange")
symbol = next(symbol for symbol, trades in data.trades.items() if len(trades))
trades = lob.clean_trades(data.trades[symbol]).trades
volume = float(np.asarray(trades.size).sum())
print(f"{symbol}: {len(trades):,} trades of {volume:g} in all")

# About sixty bars of each kind.
seconds = max(1, round(1e-9 * float(trades.time_ns[-1] - trades.time_ns[0]) / 60))
kinds = {
    "time": lob.TimeBars(f"{seconds}s"),
    "tick": lob.TickBars(max(1, len(trades) // 60)),
    "volume": lob.VolumeBars(volume / 60, lot_size=None),
    "imbalance": lob.ImbalanceBars("volume", lob.FixedThreshold(volume / 200), lot_size=None),
}
made = {name: lob.make_bars(trades, kind, fill="previous") for name, kind in kinds.items()}
for name, bars in made.items():
    returns = np.diff(np.log(bars.close))
    scaled = returns / returns.std() if len(returns) > 2 and returns.std() else np.zeros(1)
    print(
        f"{name:>9}: {len(bars.count):3d} bars, {int((bars.count == 0).sum())} empty, trades a bar "
        f"{bars.count.min()} to {bars.count.max()}, kurtosis of the returns {float((scaled**4).mean()):.1f}"
    )
    # Every trade is in exactly one bar, or counted as outside.
    assert int(bars.count.sum()) + int(bars.trades_outside) == len(trades)

print(made["time"].to_pandas()[["open", "high", "low", "close", "volume", "signed_volume"]].tail(3).to_string())

OUT.mkdir(parents=True, exist_ok=True)
candles(made["time"]).savefig(OUT / "bars_time.png", dpi=160)
candles(made["volume"]).savefig(OUT / "bars_volume.png", dpi=160)
print("figures in", OUT)
