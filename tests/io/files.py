"""Small recordings for the tests, written by plain code."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

STAMP = 1_723_161_253_000_000_000


def write(path: Path, text: str | bytes) -> Path:
    """Write a file, compressed where its name says so."""
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def cut(path: Path, keep: float = 0.6) -> Path:
    """Cut the end of a file off."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return path


def json_line(
    second: int = 0, symbol: str = "BTCUSDT", bids=((99.0, 1.0), (98.5, 2.0)), asks=((101.0, 3.0),), **others
):
    """One line of the lab's JSON, as a dict."""
    line = {
        "timestamp": f"2026-07-21T12:00:{second:02d}.000000001Z",
        "symbol": symbol,
        "last_update_id": 100 + second,
        "exchange": "binance",
        "bids": bids,
        "asks": asks,
    }
    return line | others


def write_jsonl(path: Path, *lines: dict | str) -> Path:
    return write(path, "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))


def depth(first: int, last: int, bids=(), asks=(), *, symbol="BTCUSDT", previous: int | None = None, pair="") -> dict:
    """A depth update of Binance; of the futures where `previous` is given, of COIN-M where `pair` is."""
    update = {"e": "depthUpdate", "E": STAMP // 10**6 + last, "s": symbol, "U": first, "u": last}
    update |= {"b": list(bids), "a": list(asks)}
    if previous is not None:
        update |= {"pu": previous, "T": STAMP // 10**6 + last}
    return update | ({"ps": pair} if pair else {})


def trade(number: int, price: str, size: str, *, buyer_is_maker: bool, symbol="BTCUSDT") -> dict:
    event = {"e": "trade", "E": STAMP // 10**6, "T": STAMP // 10**6 + number, "s": symbol, "t": number}
    return event | {"p": price, "q": size, "m": buyer_is_maker}


def snapshot(last_id: int, bids, asks) -> dict:
    return {"lastUpdateId": last_id, "bids": bids, "asks": asks}


def write_hft(path: Path, *messages: dict | str, step_ns: int = 10**8, start_ns: int = STAMP) -> Path:
    """Lines of receive time and message, `step_ns` apart, combined-stream frames but for the snapshot."""
    text = ""
    for number, message in enumerate(messages):
        if isinstance(message, str):
            text += message + "\n"
            continue
        payload = message if "lastUpdateId" in message else {"stream": f"x@{message['e']}", "data": message}
        text += f"{start_ns + number * step_ns} {json.dumps(payload, separators=(',', ':'))}\n"
    return write(path, text)


def write_lobster(folder: Path, messages: list[str], books: list[str], *, levels: int = 2, end: str = ".csv") -> Path:
    """A pair of LOBSTER files; the path of the message file."""
    stem = "XYZ_2012-06-21_34200000_57600000"
    write(folder / f"{stem}_orderbook_{levels}{end}", "".join(row + "\n" for row in books))
    return write(folder / f"{stem}_message_{levels}{end}", "".join(row + "\n" for row in messages))
