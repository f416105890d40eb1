"""LOBSTER: a message file and an order-book file, one row of each for every event at NASDAQ.

Times are seconds after midnight in New York; prices are integers, dollars x 10,000; +-9999999999 marks an empty level.
The book of a row is the one after the message of that row.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from feeds.recording.arrays import TradeArrays
from quantjax.io.errors import DataError
from quantjax.io.lobster_files import LobsterPair, find_pair, read_rows
from quantjax.io.lobster_messages import PRICE_UNITS, LobsterEvent, LobsterMessages
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.rows import RowSampler, screen
from quantjax.io.ticks import InferredTick
from quantjax.lob import Book, BookSeries

__all__ = ["read_lobster"]

EMPTY_PRICE = 9_999_999_999
_ENOUGH_EXECUTIONS = 20


def read_lobster(path: Path, options: ReadOptions, report: ReadReport) -> Iterator[BookSeries]:
    """Books of a LOBSTER pair, given either file, in blocks.

    The two files must have the same number of rows; where one is a truncated gzip file, the other's further rows are
    skipped and counted (`rows_without_partner`). The only clock is the exchange's. Raises DataError, FileNotFoundError.
    """
    pair = find_pair(path)
    interval_ns = options.interval_ns
    options.check_symbols([pair.symbol], pair.messages)
    levels = min(options.levels, pair.levels)
    report.symbols[pair.symbol] = None
    report.metadata |= {
        "files": [str(pair.messages), str(pair.books)],
        "exchange": "NASDAQ",
        "clock": "exchange",
        "levels": levels,
        "source_unit": {pair.symbol: "shares; prices in 1/10,000 dollar"},
        "date": pair.day,
    }
    sampler = None if interval_ns is None else RowSampler(interval_ns, report.counts)
    trades: list[TradeArrays] = []
    last_touch: np.ndarray | None = None
    executions = 0
    tick = PRICE_UNITS // 100
    for events, rows in _aligned(pair, options.block_rows, report):
        report.counts["rows_read"] += len(rows)
        messages = _messages(events, pair)
        report.counts.update(messages.counts())
        executions += _check_touch(messages, rows, last_touch, report)
        _refuse_strangers(pair, executions, report)
        last_touch = rows[-1]
        series, tick = _series(messages.time_ns, rows, pair.symbol, levels, options, tick)
        report.tick_sizes[pair.symbol] = InferredTick(tick / PRICE_UNITS)
        if options.keep:
            report.messages.append(messages)
            trades.append(messages.trades())
        report.counts["trades"] += len(messages.trades())
        series, _ = screen(series, report.counts)
        yield series if sampler is None else sampler(series)
    whole_cents = tick == PRICE_UNITS // 100
    how = "all prices are whole cents" if whole_cents else "a price is not in whole cents"
    report.metadata["tick_size"] = {pair.symbol: f"{tick / PRICE_UNITS:g}, {how}"}
    if trades:
        report.trades[pair.symbol] = _join_trades(trades)


def _aligned(pair: LobsterPair, block_rows: int, report: ReadReport) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Message and book rows side by side, at most `block_rows` at once."""
    streams = [read_rows(pair.messages, None, report.counts), read_rows(pair.books, pair.levels, report.counts)]
    held: list[np.ndarray | None] = [None, None]
    seen = [0, 0]
    while True:
        for number, stream in enumerate(streams):
            if held[number] is None and (piece := next(stream, None)) is not None:
                held[number] = piece
                seen[number] += len(piece)
        events, rows = held
        if events is None or rows is None:
            break
        count = min(len(events), len(rows), block_rows)
        yield events[:count], rows[:count]
        held = [piece[count:] if len(piece) > count else None for piece in (events, rows)]
    for number, stream in enumerate(streams):
        seen[number] += sum(len(piece) for piece in stream)
    if seen[0] != seen[1]:
        if not report.counts["files_truncated"]:
            raise DataError(
                f"{pair.books}: expected as many rows as {pair.messages.name} has, {seen[0]}, got {seen[1]}; the two "
                "files do not belong together, or one of them is not whole"
            )
        report.counts["rows_without_partner"] += abs(seen[0] - seen[1])


def _messages(events: np.ndarray, pair: LobsterPair) -> LobsterMessages:
    time, kind, order_id, size, raw_price, side = events.T
    price = np.where(kind == LobsterEvent.HALT, np.nan, raw_price / PRICE_UNITS)
    return LobsterMessages(pair.midnight_ns + time, kind, order_id, size, price, side, raw_price, pair.symbol)


def _series(
    time_ns: np.ndarray, rows: np.ndarray, symbol: str, levels: int, options: ReadOptions, tick: int
) -> tuple[BookSeries, int]:
    """The rows as books, and the tick in LOBSTER's units: a cent unless a price says otherwise (low-priced shares)."""
    arrays = {}
    for number, side in enumerate(("ask", "bid")):
        price, size = (rows[:, 2 * number + field : 4 * levels : 4] for field in (0, 1))
        absent = (size == 0) | (np.abs(price) == EMPTY_PRICE)
        if tick > 1 and np.any((price % tick != 0) & ~absent):
            tick = 1
        arrays[f"{side}_price"] = np.where(absent, np.nan, price / PRICE_UNITS).astype(options.dtype, copy=False)
        arrays[f"{side}_size"] = np.where(absent, 0, size).astype(options.dtype)
    return BookSeries(time_ns, Book(**arrays), symbol, InferredTick(tick / PRICE_UNITS)), tick


def _check_touch(messages: LobsterMessages, rows: np.ndarray, last_row: np.ndarray | None, report: ReadReport) -> int:
    """Count the visible executions that are not at the best price of the book before; the number looked at."""
    before = np.concatenate([rows[:1] if last_row is None else last_row[None], rows[:-1]])
    visible = messages.type == LobsterEvent.VISIBLE_EXECUTION
    if last_row is None:
        visible[:1] = False  # nothing is known of the book before the first row
    touch = np.where(messages.side > 0, before[:, 2], before[:, 0])
    report.counts["executions_off_touch"] += int(np.count_nonzero(visible & (touch != messages.raw_price)))
    return int(np.count_nonzero(visible))


def _refuse_strangers(pair: LobsterPair, executions: int, report: ReadReport) -> None:
    off = report.counts["executions_off_touch"]
    if executions >= _ENOUGH_EXECUTIONS and off > executions / 2:
        raise DataError(
            f"{pair.books}: expected the books of {pair.messages.name}, got others: {off} of {executions} visible "
            "executions are not at the best price of the book before them"
        )


def _join_trades(pieces: list[TradeArrays]) -> TradeArrays:
    names = ("time_ns", "exchange_ns", "price", "size", "side", "trade_id")
    joined = {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in names}
    return TradeArrays(**joined, symbol=pieces[0].symbol)
