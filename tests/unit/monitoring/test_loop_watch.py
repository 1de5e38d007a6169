"""The event loop's lateness, and where it stands while it is blocked."""

import asyncio
import time

import pytest

from app.monitoring.loop_watch import LoopWatch

LIMIT_SECONDS = 0.3
AGAIN_SECONDS = 0.1
"""In which it is looked at again, a quarter of the limit later."""


def block_the_loop(caplog: pytest.LogCaptureFixture, *, until_told: int) -> None:
    deadline = time.monotonic() + 5
    while told(caplog) < until_told and time.monotonic() < deadline:
        time.sleep(0.01)
    # In which it would be told a second time.
    time.sleep(AGAIN_SECONDS)


def told(caplog: pytest.LogCaptureFixture) -> int:
    return sum(each.getMessage().startswith("event loop blocked") for each in caplog.records)


async def wait_beside() -> None:
    await asyncio.Event().wait()


async def run_blocked(watch: LoopWatch, caplog: pytest.LogCaptureFixture, *, times: int) -> None:
    """Block the loop so often, each time until it is told, and a little longer."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch.run())
        beside = tasks.create_task(wait_beside())
        for number in range(times):
            await asyncio.sleep(0.05)
            block_the_loop(caplog, until_told=number + 1)
        await asyncio.sleep(0.05)
        watch.stop()
        beside.cancel()


async def test_log_says_where_the_loop_and_every_task_stand_while_it_is_blocked(caplog):
    watch = LoopWatch(limit_seconds=LIMIT_SECONDS, interval_seconds=0.01)

    await run_blocked(watch, caplog, times=1)

    blocked, goes_on = (each.getMessage() for each in caplog.records)
    assert blocked.startswith("event loop blocked for 0.")
    assert "test_loop_watch.py" in blocked
    assert "block_the_loop" in blocked
    assert "wait_beside" in blocked
    assert goes_on.startswith("event loop goes on after 0.")


async def test_each_time_is_told_once_and_counted(caplog):
    watch = LoopWatch(limit_seconds=LIMIT_SECONDS, interval_seconds=0.01)

    await run_blocked(watch, caplog, times=2)

    said = [each.getMessage().split(" for ")[0] for each in caplog.records]
    assert said.count("event loop blocked") == watch.blocked == 2
    assert watch.lag.sum > 2 * LIMIT_SECONDS


async def test_loop_that_is_on_time_is_not_told(caplog):
    watch = LoopWatch(limit_seconds=30, interval_seconds=0.001)

    for _ in range(20):
        await watch.wake_once()

    assert watch.lag.count == 20
    assert (watch.blocked, caplog.text) == (0, "")
