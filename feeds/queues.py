"""A queue between the sockets and the reader, bounded, with a stated policy for when it is full.

| policy | when the queue is full | what is lost |
|---|---|---|
| BLOCK (default) | the socket is read no further for a while | nothing here; a venue may lose patience and disconnect |
| DROP_OLDEST | the oldest frame gives way | that frame; its symbol's book resynchronises |
| DROP_NEWEST | the new frame is not taken | that frame; likewise |
| DISCONNECT | the new frame is not taken and its connection is closed | all until the reconnect |

Every drop is counted. BLOCK is up to who fills the queue: wait for `room`, then read, then `put`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Generic, TypeVar

__all__ = ["BoundedQueue", "Overflow", "QueueClosed"]

T = TypeVar("T")


class Overflow(StrEnum):
    """What a full queue does with one more item."""

    BLOCK = "block"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    DISCONNECT = "disconnect"


class QueueClosed(Exception):
    """The queue is closed and everything in it was taken."""


class BoundedQueue(Generic[T]):
    """First in, first out, at most `maxsize` items of those that may be dropped; for one event loop and one reader.

    Under BLOCK each of several writers that found room at once may add its item, one more than `maxsize` for each.

    `on_drop` is called for each item that is dropped.

    Errors: ValueError for a `maxsize` below 1.
    """

    def __init__(
        self, maxsize: int, overflow: Overflow = Overflow.BLOCK, on_drop: Callable[[], None] | None = None
    ) -> None:
        if maxsize < 1:
            raise ValueError(f"expected a maxsize of at least 1, got {maxsize}")
        self.maxsize = maxsize
        self.overflow = Overflow(overflow)
        self.dropped = 0
        """Items dropped so far."""
        self._on_drop = on_drop
        self._items: deque[tuple[T, bool]] = deque()  # with whether the item may be dropped
        self._droppable = 0
        self._closed = False
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def closed(self) -> bool:
        """Whether no more is taken."""
        return self._closed

    async def room(self) -> None:
        """Under BLOCK, wait while the queue is full and not closed; no wait under another policy."""
        while self.overflow is Overflow.BLOCK and self._droppable >= self.maxsize and not self._closed:
            self._drained.clear()
            await self._drained.wait()

    def put(self, item: T) -> bool:
        """Add an item by the policy, at once; whether it was taken. False too once the queue is closed."""
        if self._closed:
            return False
        if self._droppable >= self.maxsize:
            match self.overflow:
                case Overflow.DROP_OLDEST:
                    self._drop_oldest()
                case Overflow.DROP_NEWEST | Overflow.DISCONNECT:
                    self._count_drop()
                    return False
        self._append(item, droppable=True)
        return True

    def put_always(self, item: T) -> None:
        """Add an item that is never dropped and never waits: for what is rare and without which nothing goes on."""
        if not self._closed:
            self._append(item, droppable=False)

    async def get(self) -> T:
        """The oldest item; waits for one.

        Errors: QueueClosed.
        """
        while not self._items:
            if self._closed:
                raise QueueClosed
            self._filled.clear()
            await self._filled.wait()
        item, droppable = self._items.popleft()
        if droppable:
            self._droppable -= 1
            self._drained.set()
        return item

    def close(self) -> None:
        """Take no more; what is there can still be had."""
        self._closed = True
        self._filled.set()
        self._drained.set()

    def _append(self, item: T, droppable: bool) -> None:
        self._items.append((item, droppable))
        self._droppable += droppable
        self._filled.set()

    def _drop_oldest(self) -> None:
        for position, (_, droppable) in enumerate(self._items):
            if droppable:
                del self._items[position]
                self._droppable -= 1
                self._count_drop()
                return

    def _count_drop(self) -> None:
        self.dropped += 1
        if self._on_drop is not None:
            self._on_drop()
