"""Waiting that ends when a process is told to end."""

import asyncio

import pytest

from db.waiting import done_before


async def test_work_is_left_off_when_the_event_is_set_and_not_before():
    event, began, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            left.set()

    doing = asyncio.create_task(done_before(event, work()))
    await began.wait()
    assert not left.is_set()
    event.set()
    assert (await doing, left.is_set()) == (False, True)


async def test_work_that_is_done_first_is_done_and_its_own_errors_are_its_own():
    async def fail() -> None:
        raise TimeoutError("its own")

    assert await done_before(asyncio.Event(), asyncio.sleep(0))
    with pytest.raises(TimeoutError, match="its own"):
        await done_before(asyncio.Event(), fail())
