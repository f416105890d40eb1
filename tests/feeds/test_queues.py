"""The bounded queue: order, bounds, and what each policy loses."""

import asyncio

import pytest

from feeds.queues import BoundedQueue, Overflow, QueueClosed


async def drain(queue: BoundedQueue[int]) -> list[int]:
    return [await queue.get() for _ in range(len(queue))]


async def fill(overflow: Overflow, items: range = range(5)) -> tuple[BoundedQueue[int], list[bool]]:
    queue: BoundedQueue[int] = BoundedQueue(3, overflow)
    return queue, [queue.put(item) for item in items]


async def test_drop_oldest() -> None:
    queue, taken = await fill(Overflow.DROP_OLDEST)
    assert (taken, await drain(queue), queue.dropped) == ([True] * 5, [2, 3, 4], 2)


@pytest.mark.parametrize("overflow", [Overflow.DROP_NEWEST, Overflow.DISCONNECT])
async def test_the_newest_is_not_taken(overflow: Overflow) -> None:
    queue, taken = await fill(overflow)
    assert (taken, await drain(queue), queue.dropped) == ([True, True, True, False, False], [0, 1, 2], 2)


async def test_block_waits_and_loses_nothing() -> None:
    queue: BoundedQueue[int] = BoundedQueue(3)

    async def produce() -> None:
        for item in range(50):
            await queue.room()
            assert queue.put(item)
            assert len(queue) <= 3

    task = asyncio.create_task(produce())
    assert [await queue.get() for _ in range(50)] == list(range(50))
    await task
    assert queue.dropped == 0


async def test_what_must_not_be_lost_is_not() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2, Overflow.DROP_OLDEST)
    queue.put_always(100)
    for item in range(4):
        queue.put(item)
        queue.put_always(200 + item)
    assert await drain(queue) == [100, 200, 201, 2, 202, 3, 203]


async def test_drops_are_told() -> None:
    told: list[int] = []
    queue: BoundedQueue[int] = BoundedQueue(1, Overflow.DROP_OLDEST, on_drop=lambda: told.append(1))
    for item in range(4):
        queue.put(item)
    assert len(told) == queue.dropped == 3


async def test_close_hands_out_the_rest_and_frees_who_waits() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)
    queue.put(1)
    waiting = asyncio.create_task(queue.room())
    await asyncio.sleep(0)
    queue.close()
    await waiting
    assert not queue.put(2)
    assert await queue.get() == 1
    queue.put_always(3)
    with pytest.raises(QueueClosed):
        await queue.get()


async def test_close_frees_the_reader() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)
    reader = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.close()
    with pytest.raises(QueueClosed):
        await reader


def test_arguments() -> None:
    with pytest.raises(ValueError, match="maxsize"):
        BoundedQueue(0)
    assert BoundedQueue(1, Overflow("block")).overflow is Overflow.BLOCK
