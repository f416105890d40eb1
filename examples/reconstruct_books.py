"""From level updates to order books, and the proof that they are right.

A venue sends a snapshot and then, message by message, the price levels that changed. `io.read_updates` reads these
streams, one for each stretch in which the book was in sync; `lob.reconstruct` gives the books at any times one asks
for. Run it as `python examples/reconstruct_books.py [RECORDING]`.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)  # prices want double precision

import numpy as np
from recording import OUT, chosen_recording

from quantjax import io, lob
from quantjax.report import depth_heatmap

path = chosen_recording()
data = io.read_updates(path, clock="exchange")
symbol, streams = next((symbol, streams) for symbol, streams in data.streams.items() if streams)
stream = max(streams, key=len)
print(f"{symbol}: {len(stream):,} level updates on a snapshot of {len(stream.snapshot):,} levels; {data.counts}")

# Books at times of our own: twice a second, ten levels a side.
step_ns = 500_000_000
at = np.arange(-(-stream.start_ns // step_ns) * step_ns, stream.end_ns, step_ns)
series = lob.reconstruct(stream.snapshot, stream.updates, at, levels=10)
print(f"{len(series):,} books, the last: bid {series.book.bid_price[-1, 0]}, ask {series.book.ask_price[-1, 0]}")
print("faults:", lob.check(series))

# The same book kept the slow way, level by level in a dict, after the last update: they are equal to the last bit.
levels = {}
for updates in (stream.snapshot, stream.updates):
    for side, tick, size in zip(updates.side.tolist(), updates.tick.tolist(), updates.size.tolist(), strict=True):
        levels[side, tick] = size
bids = sorted((tick for (side, tick), size in levels.items() if side > 0 and size), reverse=True)[:10]
last = lob.reconstruct(stream.snapshot, stream.updates, np.array([stream.end_ns]), levels=10).book
assert [levels[1, tick] for tick in bids] == last.bid_size[0, : len(bids)].tolist()
assert np.allclose(np.array(bids) * stream.updates.tick_size, last.bid_price[0, : len(bids)], rtol=1e-12)
print("equal to a book kept in a dict")

# Where the venue also announced its best quotes, each book can be checked against the one in force at its update.
if "derived" not in data.metadata:
    quotes = io.read_quotes(path, symbols=symbol).only()
    if len(quotes):
        found = io.compare_quotes(stream, quotes)
        print(f"{found.compared:,} books compared with announced quotes, {len(found.different):,} differ")

OUT.mkdir(parents=True, exist_ok=True)
depth_heatmap(series).savefig(OUT / "reconstructed_books.png", dpi=160)
print("figure:", OUT / "reconstructed_books.png")
