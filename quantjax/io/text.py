"""Bytes and lines of files, gzip or plain: what is whole is read, and what was cut is counted."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from quantjax.io.counts import Counts
from quantjax.io.errors import DataError

__all__ = ["line_chunks", "lines", "peek", "read_whole"]

_CHUNK_BYTES = 1 << 18
_GZIP_WINDOW = 31  # zlib's code for the largest window inside a gzip wrapper


def lines(path: Path, counts: Counts) -> Iterator[bytes]:
    """Lines with their line feeds; one without stands at the end of the file, and may be torn.

    Counts `files_truncated` and, for the partial line of a truncated gzip file, which is not given, `bytes_cut`.
    Raises DataError for damaged gzip data.
    """
    for chunk in line_chunks(path, counts, drop_unfinished=False):
        yield from chunk.splitlines(keepends=True) if b"\r" not in chunk else _split(chunk)


def line_chunks(path: Path, counts: Counts, *, size: int = 1 << 20, drop_unfinished: bool = True) -> Iterator[bytes]:
    """The file in pieces of whole lines, each of at least `size` bytes but for the last.

    `drop_unfinished`: leave out a last line without a line feed, and count it (`torn_lines`, `bytes_cut`): in a CSV
    file nothing tells 10 from the beginning of 100. In gzip data that ends properly it is the writer's, and kept.
    """
    parts: list[bytes] = []
    held, truncated_before = 0, counts["files_truncated"]
    for chunk in _chunks(path, counts):
        parts.append(chunk)
        held += len(chunk)
        if held < size or b"\n" not in chunk:
            continue
        text = b"".join(parts)
        end = text.rfind(b"\n") + 1
        yield text[:end]
        parts = [text[end:]]
        held = len(text) - end
    text = b"".join(parts)
    truncated = counts["files_truncated"] > truncated_before
    end = len(text)
    if text and not text.endswith(b"\n") and (truncated or (drop_unfinished and not _is_gzip(path))):
        end = text.rfind(b"\n") + 1
        counts["bytes_cut"] += len(text) - end
        counts["torn_lines"] += not truncated
    if end:
        yield text[:end]


def peek(path: Path, size: int = 1 << 16) -> bytes:
    """The first decompressed bytes, at most `size`."""
    found = b""
    for chunk in _chunks(path, Counts()):
        found += chunk
        if len(found) >= size:
            break
    return found[:size]


def read_whole(path: Path, counts: Counts) -> bytes:
    """All decompressed bytes, as far as they go."""
    return b"".join(_chunks(path, counts))


def _split(chunk: bytes) -> list[bytes]:
    # bytes.splitlines also splits at lone carriage returns, which may stand inside a JSON frame's white space
    return [line + b"\n" for line in chunk.split(b"\n")[:-1]] + ([tail] if (tail := chunk.rpartition(b"\n")[2]) else [])


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _chunks(path: Path, counts: Counts) -> Iterator[bytes]:
    with path.open("rb") as file:
        head = file.read(2)
        file.seek(0)
        if head != b"\x1f\x8b":
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
            return
        inflate = zlib.decompressobj(_GZIP_WINDOW)
        while chunk := file.read(_CHUNK_BYTES):
            while chunk:
                if inflate.eof:  # gzip members may follow one another; zeros after the last are padding
                    if not chunk.strip(b"\0"):
                        break
                    inflate = zlib.decompressobj(_GZIP_WINDOW)
                try:
                    data = inflate.decompress(chunk, 4 * _CHUNK_BYTES)
                except zlib.error as error:
                    raise DataError(
                        f"{path}: expected gzip data, got damaged bytes at or up to {_CHUNK_BYTES} bytes before byte "
                        f"{file.tell()} of the file ({error}); get the file anew"
                    ) from None
                if data:
                    yield data
                chunk = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        if not inflate.eof:
            if data := inflate.flush():
                yield data
            counts["files_truncated"] += 1
