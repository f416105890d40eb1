"""Binance spot as three JSON files side by side: a REST snapshot, an array of depth updates, an array of trades.

`<name>_snapshot.json[.gz]`, `<name>_update.json[.gz]` and (it may be missing) `<name>_trades.json[.gz]`.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from feeds.binance.messages import parse_frame, parse_snapshot
from feeds.errors import MalformedMessage
from feeds.inputs import Input, InputKind
from feeds.messages import DepthUpdate
from quantjax.io.binance import make_venue, play_binance, recognise, session_start
from quantjax.io.counts import Counts
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.playback import VenuePlayback
from quantjax.io.text import read_whole

__all__ = ["is_binance_json_name", "open_binance_json"]

_NAME = re.compile(r"(?P<stem>.+)_(?P<kind>snapshot|update|trades)\.json(?:\.gz)?")


def is_binance_json_name(name: str) -> bool:
    """Whether a file is named as one of the three."""
    return _NAME.fullmatch(name) is not None


def open_binance_json(path: Path, options: ReadOptions, report: ReadReport) -> VenuePlayback:
    """Messages of the three files, given any of them; they are read whole.

    The files have no receive times: the only clock is the exchange's. The snapshot, which has no time at all, is given
    to the machine with the first update that goes beyond it, so that no book is stamped before it was there. Raises
    DataError, and FileNotFoundError where snapshot or updates are missing.
    """
    files = _files(path)
    updates = _array(files["update"], report.counts)
    found = next((found for update in updates if (found := recognise(update)) is not None), None)
    if found is None:
        raise DataError(f"{files['update']}: expected an array of depthUpdate messages, got none that can be read")
    market, symbol = found
    options.check_symbols([symbol], path)
    body = _snapshot(files["snapshot"], symbol, report.counts)
    trades = _array(files["trades"], report.counts) if "trades" in files else []
    report.metadata |= {"files": [str(file) for file in files.values()], "clock": "exchange", "market": market}
    venue = make_venue(market, [symbol], path)

    def inputs() -> Iterator[Input]:
        depth = _with_snapshot(_frames(updates), body, symbol)
        merged = heapq.merge(depth, _frames(trades), key=lambda item: item.received_ns)
        first = next(merged)
        yield from session_start(venue, first.received_ns)
        yield first
        yield from merged

    return play_binance(venue, inputs(), options, report)


def _files(path: Path) -> dict[str, Path]:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise DataError(
            f"{path}: expected a name <name>_snapshot.json, <name>_update.json or <name>_trades.json (or .gz), "
            f"got {path.name}; the three are found by their names"
        )
    files = {}
    for kind in ("snapshot", "update", "trades"):
        candidates = [
            path.with_name(f"{match['stem']}_{kind}.json{end}")
            for end in (path.suffix * (path.suffix == ".gz"), "", ".gz")
        ]
        file = next((candidate for candidate in candidates if candidate.is_file()), None)
        if file is not None:
            files[kind] = file
        elif kind != "trades":
            raise FileNotFoundError(
                f"{path}: expected {match['stem']}_{kind}.json or .json.gz beside it, found none: a book needs both "
                "the snapshot and the updates"
            )
    return files


def _array(path: Path, counts: Counts) -> list[bytes]:
    """Elements of a JSON array as they stand; those that are whole, where the file is cut."""
    truncated_before = counts["files_truncated"]
    text = read_whole(path, counts)
    try:
        return [bytes(element) for element in msgspec.json.decode(text, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if counts["files_truncated"] == truncated_before:
            raise DataError(f"{path}: expected a JSON array of messages, got {error}") from None
    elements, position = [], 0
    decoder, whole = json.JSONDecoder(), text.decode(errors="replace")
    while (start := whole.find("{", position)) >= 0:
        try:
            _, position = decoder.raw_decode(whole, start)
        except ValueError:
            counts["bytes_cut"] += len(whole) - start
            break
        elements.append(whole[start:position].encode())
    return elements


def _snapshot(path: Path, symbol: str, counts: Counts) -> bytes:
    """The body, out of an array of one where it stands in one."""
    text = read_whole(path, counts).strip()
    if text.startswith(b"["):
        text = next(iter(_array(path, counts)), b"")
    try:
        parse_snapshot(text, symbol, 0)
    except MalformedMessage as error:
        raise DataError(f"{path}: expected a REST snapshot with lastUpdateId, bids and asks, got {error}") from None
    return text


def _frames(messages: list[bytes]) -> Iterator[Input]:
    """Messages as frames, received when the exchange sent them; one that cannot be read, at the time before it."""
    time_ns = 0
    for message in messages:
        time_ns = _event_time_ns(message) or time_ns
        yield Input(time_ns, InputKind.FRAME, "1", 0, message)


class _Event(msgspec.Struct):
    time: Annotated[int, msgspec.Meta(ge=1, le=9 * 10**15)] = msgspec.field(name="E")


def _event_time_ns(message: bytes) -> int | None:
    try:
        time = msgspec.json.decode(message, type=_Event).time
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return time * 1000 if time > 9 * 10**12 else time * 1_000_000  # micro- or milliseconds, as `feeds` tells them apart


def _with_snapshot(frames: Iterator[Input], body: bytes, symbol: str) -> Iterator[Input]:
    """The snapshot, right after the first update that goes beyond it."""
    last_id = parse_snapshot(body, symbol, 0).last_update_id
    given = False
    for item in frames:
        yield item
        if not given:
            update = parse_frame(item.payload, item.received_ns)
            if isinstance(update, DepthUpdate) and update.last_id > last_id:
                yield Input(item.received_ns, InputKind.RESPONSE, f"depth:{symbol}", 200, body)
                given = True
