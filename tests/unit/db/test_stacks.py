"""Where each task is, for the log."""

import asyncio

from db.stacks import describe_stacks


async def test_stacks_say_where_each_task_waits_down_to_the_innermost_call():
    async def inner() -> None:
        await asyncio.sleep(60)

    async def outer() -> None:
        await inner()

    task = asyncio.create_task(outer(), name="who waits")
    await asyncio.sleep(0)
    told = describe_stacks()
    task.cancel()

    begin = told.index("who waits:")
    outside, inside, asleep = (told.index(name, begin) for name in (">.outer", ">.inner", " sleep"))
    assert begin < outside < inside < asleep
