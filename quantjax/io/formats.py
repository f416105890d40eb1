"""The formats there are, and which of them a file or folder is: found by looking at its name and its first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from feeds.recording.manifest import MANIFEST_NAME
from feeds.recording.segments import list_segments
from quantjax.io.binance_json import is_binance_json_name, open_binance_json
from quantjax.io.cryptofeed import is_cryptofeed_line, open_cryptofeed
from quantjax.io.errors import DataError
from quantjax.io.hftbacktest import open_hftbacktest
from quantjax.io.jsonl import read_jsonl
from quantjax.io.lobster import read_lobster
from quantjax.io.lobster_files import is_lobster_name
from quantjax.io.options import ReadOptions, ReadReport
from quantjax.io.parquet import read_parquet
from quantjax.io.playback import OpenPlayback
from quantjax.io.recordings import RecordingPlayback
from quantjax.io.text import peek
from quantjax.io.venue_books import read_venue
from quantjax.lob import BookSeries

__all__ = ["FORMATS", "PLAYBACKS", "READERS", "find_format", "resolve_format"]

FORMATS: dict[str, str] = {
    "lobster": "LOBSTER message and orderbook CSV files, SYMBOL_DATE_START_END_message_LEVELS.csv[.gz]",
    "jsonl": "books as JSON lines with timestamp, symbol, bids and asks, or a folder of books-*.jsonl",
    "recording": "a folder of raw-*.gz segments with manifest.json, as the recorder writes it, or one segment",
    "parquet": "books as Parquet, or a folder of books-*.parquet parts",
    "hftbacktest": "Binance messages as lines of `<receive time ns> <json>`, with the REST snapshot",
    "binance-json": "Binance messages as <name>_snapshot.json, <name>_update.json and <name>_trades.json",
    "cryptofeed": "cryptofeed's raw capture of Binance, <name>.ws.* and <name>.http.*",
}
"""Names that `format=` and `--format` take, and what each stands for."""

Reader = Callable[[Path, ReadOptions, ReadReport], Iterator[BookSeries]]

PLAYBACKS: dict[str, OpenPlayback] = {
    "recording": RecordingPlayback,
    "hftbacktest": open_hftbacktest,
    "binance-json": open_binance_json,
    "cryptofeed": open_cryptofeed,
}
"""Formats that hold a venue's messages; the others hold finished books."""

READERS: dict[str, Reader] = {
    "lobster": read_lobster,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    **{name: partial(read_venue, open_playback) for name, open_playback in PLAYBACKS.items()},
}

_SEGMENT = re.compile(rb"\d{9,19} (session|connected|disconnected|frame|response|timer) \S+ -?\d+ \d+\n")
_STAMPED = re.compile(rb"\d{15,19} [{\[]")


def find_format(path: str | Path) -> str:
    """Name of the format that a file or folder is in; gzip is looked through.

    Raises FileNotFoundError, and DataError that lists what was looked for.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "AMZN_2012-06-21_34200000_57600000_message_5.csv")
    >>> _ = path.write_text("34200.017459617,5,0,1,2238200,-1\\n")
    >>> find_format(path)
    'lobster'
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a file or folder of recorded books, found nothing there")
    found = _format_of_folder(path) if path.is_dir() else _format_of_file(path)
    if found is None:
        looked_for = "\n".join(f"  {name}: {meaning}" for name, meaning in FORMATS.items())
        raise DataError(
            f"{path}: expected a known format, got none of these (pass one by its name if it is):\n{looked_for}"
        )
    return found


def resolve_format(path: str | Path, format: str | None) -> tuple[Path, str]:
    """The path, and the format that it is to be read as: the one that was asked for, or else found by looking.

    Raises ValueError for an unknown name, and as `find_format` does.
    """
    path = Path(path)
    if format is None:
        return path, find_format(path)
    if format not in FORMATS:
        raise ValueError(f"expected a format of {', '.join(FORMATS)}, got {format!r}")
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a file or folder of recorded books, found nothing there")
    if path.is_dir() and format not in ("recording", "parquet", "jsonl"):
        raise DataError(f"{path}: expected a file, which is what {format} data is in, got a folder")
    return path, format


def _format_of_folder(path: Path) -> str | None:
    if (path / MANIFEST_NAME).exists() or list_segments(path):
        return "recording"
    if any(path.glob("books-*.parquet")):
        return "parquet"
    return "jsonl" if any(path.glob("books-*.jsonl")) or any(path.glob("books-*.jsonl.gz")) else None


def _format_of_file(path: Path) -> str | None:
    head = peek(path)
    if not head:
        raise DataError(f"{path}: expected recorded books, got a file that is empty or cut before its first byte")
    if is_lobster_name(path.name):
        return "lobster"
    if head.startswith(b"PAR1") or path.suffix == ".parquet":
        return "parquet"
    if is_binance_json_name(path.name):
        return "binance-json"
    if _SEGMENT.match(head):
        return "recording"
    lines = head.split(b"\n")
    # A bad line or two at the beginning must not hide what the others are.
    if any(_STAMPED.match(line) for line in lines[:20]):
        return "hftbacktest"
    if any(is_cryptofeed_line(line) for line in lines[:20]):
        return "cryptofeed"
    if any(b'"bids"' in line and b'"timestamp"' in line for line in lines[:100]):
        return "jsonl"
    return "jsonl" if re.search(r"\.(jsonl|ndjson)(\.gz)?$", path.name) else None
