"""Binance as cryptofeed captures it: WebSocket lines `<epoch s>: <frame>` and REST lines `<url> -> <epoch s>: <body>`.

The files of one capture are `<name>.ws.*` and `<name>.http.*`, side by side.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from feeds.inputs import Input, InputKind
from quantjax.io.binance import make_venue, market_of_url, play_binance, session_start
from quantjax.io.counts import Counts
from quantjax.io.errors import DataError
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.playback import VenuePlayback
from quantjax.io.text import lines
from quantjax.io.times import seconds_to_ns

__all__ = ["is_cryptofeed_line", "open_cryptofeed"]

_NAME = re.compile(r"(?P<stem>.+?)\.(?:ws|http)\.[\w.-]+")
_FRAME = re.compile(rb"(?P<time>[1-8]?\d{9}(?:\.\d+)?): (?P<body>.*)", re.DOTALL)
_BODY = re.compile(rb"(?P<url>https?://\S+) -> (?P<time>[1-8]?\d{9}(?:\.\d+)?): (?P<body>.*)", re.DOTALL)
_CONNECTION = re.compile(rb"(?P<url>wss?://\S+) <-> (?P<time>[1-8]?\d{9}(?:\.\d+)?)\s*")
_SENT = re.compile(rb"wss?://\S+ <- ")


def is_cryptofeed_line(line: bytes) -> bool:
    """Whether a line is one of a capture."""
    return any(pattern.match(line) for pattern in (_FRAME, _BODY, _CONNECTION, _SENT))


def open_cryptofeed(path: Path, options: ReadOptions, report: ReadReport) -> VenuePlayback:
    """Messages of a capture of Binance, given any of its files. Each connection after the first is a new session.

    Raises DataError for captures of other exchanges, and where the WebSocket or the REST file (which holds the
    snapshots) is missing.
    """
    sockets, bodies = _files(path)
    market, symbols = _market(sockets, path)
    options.check_symbols(symbols, path)
    report.metadata |= {
        "files": [str(file) for file in (*sockets, *bodies)],
        "clock": options.clock,
        "market": market,
    }
    venue = make_venue(market, symbols, path)

    def inputs() -> Iterator[Input]:
        # The answers are few; sorted, since several files may hold them.
        responses = sorted(
            (item for file in bodies for item in _responses(file, report.counts)), key=lambda item: item.received_ns
        )
        frames = [_frames(file, report.counts) for file in sockets]
        started = False
        for item in heapq.merge(*frames, responses, key=lambda item: item.received_ns):
            if not started or item.kind is InputKind.SESSION:
                yield from session_start(venue, item.received_ns)
                started = True
            if item.kind is not InputKind.SESSION:
                yield item

    return play_binance(venue, inputs(), options, report)


def _files(path: Path) -> tuple[list[Path], list[Path]]:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise DataError(f"{path}: expected a name <name>.ws.<numbers> or <name>.http.<numbers>, got {path.name}")
    stem = match["stem"]
    beside = sorted(file for file in path.parent.iterdir() if file.is_file())
    sockets = [file for file in beside if file.name.startswith(f"{stem}.ws.")]
    bodies = [file for file in beside if file.name.startswith(f"{stem}.http.")]
    if not sockets:
        raise FileNotFoundError(f"{path}: expected {stem}.ws.* beside it, found none")
    return sockets, bodies


def _market(sockets: list[Path], path: Path) -> tuple[str, list[str]]:
    """Market, and the symbols whose depth was followed, as the connections' addresses say."""
    symbols: dict[str, None] = {}
    market = None
    for file in sockets:
        for line in lines(file, Counts()):
            match = _CONNECTION.match(line)
            if match is None:
                continue
            url = match["url"].decode(errors="replace")
            market = market_of_url(url)
            if market is None:
                raise DataError(
                    f"{path}: expected a capture of Binance, got one of {urlsplit(url).netloc}, which is not read yet"
                )
            symbols |= dict.fromkeys(name.upper() for name in re.findall(r"([\w]+)@depth", url))
    if market is None or not symbols:
        raise DataError(f"{path}: expected a connection `wss://... <-> time` with depth streams of Binance, got none")
    return market, list(symbols)


def _frames(path: Path, counts: Counts) -> Iterator[Input]:
    connections = 0
    for line in lines(path, counts):
        if (frame := _FRAME.fullmatch(line.rstrip(b"\n"))) is not None:
            yield Input(seconds_to_ns(frame["time"].decode()), InputKind.FRAME, "1", 0, frame["body"])
        elif (connection := _CONNECTION.fullmatch(line)) is not None:
            connections += 1
            if connections > 1:  # what the first session knew is gone
                yield Input(seconds_to_ns(connection["time"].decode()), InputKind.SESSION)
        elif not line.isspace() and not _SENT.match(line):
            counts["malformed_lines"] += 1


def _responses(path: Path, counts: Counts) -> Iterator[Input]:
    for line in lines(path, counts):
        match = _BODY.fullmatch(line.rstrip(b"\n"))
        if match is None:
            counts["malformed_lines"] += not line.isspace()
            continue
        url, time_ns = urlsplit(match["url"].decode(errors="replace")), seconds_to_ns(match["time"].decode())
        if url.path.endswith("/depth"):
            symbol = parse_qs(url.query).get("symbol", [""])[0]
            yield Input(time_ns, InputKind.RESPONSE, f"depth:{symbol}", 200, match["body"])
        elif url.path.endswith("/exchangeInfo"):
            yield Input(time_ns, InputKind.RESPONSE, "exchangeInfo", 200, match["body"])
