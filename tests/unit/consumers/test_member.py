"""What a member shows while its client stands still, before that is replaced and when it gets on again."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from consumers import member as module
from consumers.assignment import Assignment
from consumers.member import Member
from consumers.watchdog import Stall
from tests.unit.consumers.clients import Clock, FakeClient, alive

STALL_SECONDS = 60
WHY = "the group has dealt no partitions"


def made() -> tuple[Member, Assignment, Clock]:
    """Build a member of a group that has dealt nothing yet."""

    async def rest(*_: object) -> None:
        await alive()

    client, clock = FakeClient(), Clock()
    assignment = Assignment(lanes=1, max_records=10, max_bytes=1000)
    polling = SimpleNamespace(run=rest, failing={}, asked_at={}, silence=SimpleNamespace(longest=lambda: None))
    member = Member(
        consumer=client,
        topic="squad.commands",
        assignment=assignment,
        adoption=cast("Any", SimpleNamespace(run=rest, failing=None)),
        polling=cast("Any", polling),
        offsets=cast("Any", SimpleNamespace(run=rest)),
        finish=rest,
        stall_seconds=STALL_SECONDS,
    )
    # Nothing else asks for the time here, so that it is a test's alone.
    member._watchdog._clock = lambda: clock.ahead
    return member, assignment, clock


async def test_trouble_is_shown_from_half_of_the_limit_on_and_no_longer_when_it_gets_on() -> None:
    member, assignment, clock = made()
    member.look_once([])
    clock.ahead += STALL_SECONDS / 2 - 1
    member.look_once([])
    assert member.trouble is None
    clock.ahead += 1
    member.look_once([])
    assert member.trouble == f"{WHY} for 30 s"
    assignment.assign([])
    member.look_once([])
    assert member.trouble is None


async def test_client_is_replaced_after_its_trouble_was_shown_and_the_whole_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is looked at many times in each state; another client is found only the second time."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    member, _, clock = made()
    other, _, _ = made()
    shown: list[str | None] = []
    asked: list[tuple[Stall, str | None]] = []
    well: list[str | None] = []

    async def find_another(stall: Stall) -> Member | None:
        asked.append((stall, member.trouble))
        return other if len(asked) > 1 else None

    running = asyncio.create_task(member.run(find_another, lambda: well.append(member.trouble)))
    for seconds in (0, STALL_SECONDS / 2, STALL_SECONDS / 2 - 1):
        clock.ahead += seconds
        await asyncio.sleep(0.02)
        shown.append(member.trouble)
    assert (shown, asked) == ([None, f"{WHY} for 30 s", f"{WHY} for 59 s"], [])
    clock.ahead += 1
    assert await asyncio.wait_for(running, 10) is other
    assert [(str(stall), trouble) for stall, trouble in asked] == [(f"{WHY} for 60 s",) * 2] * 2
    assert other.trouble is None
    assert not well, "it was never well"


async def test_member_that_gets_on_again_says_so_and_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    member, assignment, clock = made()
    asked: list[Stall] = []
    well = asyncio.Event()

    async def find_another(stall: Stall) -> Member | None:
        asked.append(stall)
        await asyncio.sleep(0)
        return None

    running = asyncio.create_task(member.run(find_another, well.set))
    await asyncio.sleep(0.02)
    clock.ahead += STALL_SECONDS
    await until(lambda: len(asked) > 1)
    assert not well.is_set()
    assignment.assign([])
    await asyncio.wait_for(well.wait(), 10)
    assert (member.trouble, running.done()) == (None, False)
    running.cancel()
    await asyncio.wait([running])


async def until(check: Callable[[], bool]) -> None:
    """Let others run until it is so."""
    for _ in range(10_000):
        if check():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it never was")
