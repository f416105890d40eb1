"""Books and trades of a recording: as rows, as arrays, or as blocks of arrays where all does not fit memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

from feeds.decimals import to_units
from feeds.errors import MalformedMessage
from feeds.messages import Trade
from feeds.recording.arrays import BookArrays, BookArraysBuilder, TradeArrays, TradeArraysBuilder
from feeds.recording.playback import AS_RECORDED, BuildVenue, Interval, Replay, ReplayOptions
from feeds.recording.reading import Damaged, read_inputs
from feeds.recording.rebuild import rebuild
from feeds.recording.sampler import BookRow

__all__ = [
    "AS_RECORDED",
    "BuildVenue",
    "Damaged",
    "Interval",
    "Replay",
    "ReplayOptions",
    "read_inputs",
    "rebuild",
    "replay",
    "replay_arrays",
    "replay_blocks",
    "replay_trades",
]


def replay(path: str | Path, **options: Unpack[ReplayOptions]) -> Iterator[BookRow]:
    """Sampled books of a recording, in order of time: what the recorder took, or at another interval or depth.

    Arguments and errors as in `Replay`: `interval_s` (seconds; None, every change; by default as recorded), `levels`,
    `symbols`, `counters`, `damaged`, `build_venue`. Prices and sizes are integers in units of 1e-8.

    Example:
        for row in replay("recording", interval_s=0.1, symbols=["BTCUSDT"]):
            best_bid, size = row.bids[0]
    """
    return Replay(path, **options).rows()


def replay_arrays(path: str | Path, **options: Unpack[ReplayOptions]) -> dict[str, BookArrays]:
    """Sampled books of a recording by symbol, as arrays; arguments and errors as in `Replay`.

    All of it is held in memory (20 levels: 664 bytes a book); `replay_blocks` is for what does not fit.
    """
    source = Replay(path, **options)
    builders: dict[str, BookArraysBuilder] = {}
    for row in source.rows():
        _builder(builders, row, source.levels).append(
            row.time_ns, row.exchange_ns, row.last_update_id, row.bids, row.asks
        )
    for symbol in source.seen:
        builders.setdefault(symbol, BookArraysBuilder(symbol, source.levels))
    return {symbol: builders[symbol].build(_tick_size(source, symbol)) for symbol in source.seen}


def replay_blocks(
    path: str | Path, *, block_rows: int = 65536, **options: Unpack[ReplayOptions]
) -> Iterator[BookArrays]:
    """`replay_arrays` in blocks of at most `block_rows` books of one symbol, in the order in which they fill; the rest
    at the end.

    Memory holds one block a symbol, however long the recording.
    """
    if block_rows < 1:
        raise ValueError(f"expected at least one row a block, got {block_rows}")
    return _blocks(Replay(path, **options), block_rows)


def replay_trades(path: str | Path, **options: Unpack[ReplayOptions]) -> dict[str, TradeArrays]:
    """Trades of a recording by symbol, as arrays (48 bytes a trade); arguments and errors as in `Replay`.

    A trade whose price or size is not a number is skipped and counted, `malformed`.
    """
    source = Replay(path, **options)
    builders: dict[str, TradeArraysBuilder] = {}
    for item, output in source.outputs():
        for event in output.events:
            if not isinstance(event, Trade) or event.symbol not in source.seen:
                continue
            try:
                price, size = to_units(event.price), to_units(event.size)
            except MalformedMessage:
                source.counters.count("malformed", event.symbol)
                continue
            builder = builders.setdefault(event.symbol, TradeArraysBuilder(event.symbol))
            builder.append(item.received_ns, event.exchange_ns, price, size, event.side, event.trade_id)
    return {symbol: builders.get(symbol, TradeArraysBuilder(symbol)).build() for symbol in source.seen}


def _blocks(source: Replay, block_rows: int) -> Iterator[BookArrays]:
    builders: dict[str, BookArraysBuilder] = {}
    for row in source.rows():
        builder = _builder(builders, row, source.levels)
        builder.append(row.time_ns, row.exchange_ns, row.last_update_id, row.bids, row.asks)
        if len(builder) == block_rows:
            yield builder.build(_tick_size(source, row.symbol))
    for symbol, builder in builders.items():
        if len(builder):
            yield builder.build(_tick_size(source, symbol))


def _builder(builders: dict[str, BookArraysBuilder], row: BookRow, levels: int) -> BookArraysBuilder:
    if row.symbol not in builders:
        builders[row.symbol] = BookArraysBuilder(row.symbol, levels)
    return builders[row.symbol]


def _tick_size(source: Replay, symbol: str) -> float:
    return float(source.tick_size(symbol) or "nan")
