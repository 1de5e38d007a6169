"""Whatever is asked for, in whatever batches, the invariants hold."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from checker.rebuilt import Rebuilt
from checker.retelling import RETELL
from domain.commands import Command
from tests import any_commands
from tests.applying import Bench
from tests.making import FakeRecord, record

PERSONAL_ONLY = {"user.renamed.v1", "user.email-changed.v1", "user.password-hash-set.v1"}
"""Events of changes that no event tells, because they are personal."""

QUICK = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@QUICK
@given(any_commands.COMMANDS)
async def test_any_commands_in_any_batches_keep_the_invariants(bench: Bench, asked: Sequence[Command]) -> None:
    await keep_the_invariants(bench, asked)


@pytest.mark.long_faults
@pytest.mark.timeout(1200)
@settings(QUICK, max_examples=500, derandomize=False, phases=set(Phase))
@given(any_commands.COMMANDS)
async def test_many_more_of_them_keep_the_invariants(bench: Bench, asked: Sequence[Command]) -> None:
    await keep_the_invariants(bench, asked)


async def keep_the_invariants(bench: Bench, asked: Sequence[Command]) -> None:
    """Apply commands one by one, in sevens and at once: the same comes of it, and nothing that may not be."""
    await bench.forget()
    records = [record(each, command_id=str(number)) for number, each in enumerate([*any_commands.given(), *asked])]

    one_by_one = await applied(bench, records, size=1)
    told, stored = await bench.retold()
    events = await bench.outbox()
    await versions_are_gapless(bench, events)

    assert told == stored
    assert_owners_are_active(events)
    assert_every_event_changes_something(events)
    for size in (7, 500):
        await bench.forget()
        assert await applied(bench, records, size=size) == one_by_one


async def applied(bench: Bench, records: Sequence[FakeRecord], *, size: int) -> tuple[Any, ...]:
    """Give all that there is after records were applied in batches of a size."""
    for start in range(0, len(records), size):
        await bench.apply(*records[start : start + size])
    return await bench.snapshot()


async def versions_are_gapless(bench: Bench, events: Iterable[dict[str, Any]]) -> None:
    """The events of a stream are numbered 1, 2, 3 …, up to the version of its root."""
    numbers = defaultdict(list)
    for event in events:
        numbers[event["key"]].append(event["sequence"])
    roots = "SELECT CAST(id AS text), version FROM users UNION ALL SELECT CAST(id AS text), version FROM squads"
    versions = dict(await bench.rows(roots))

    assert {key: list(range(1, versions[key] + 1)) for key in versions} == numbers


def assert_owners_are_active(events: Iterable[dict[str, Any]]) -> None:
    """Whoever gets a squad exists and is active at that time."""
    active = set()
    for event in events:
        data = event["data"]
        match event["type"]:
            case "user.registered.v1" | "user.reactivated.v1":
                active.add(data["user_id"])
            case "user.deactivated.v1" | "user.deleted.v1":
                active.discard(data["user_id"])
            case "squad.created.v1":
                assert data["user_id"] in active
            case "squad.ownership-transferred.v1":
                assert data["to_user_id"] in active


def assert_every_event_changes_something(events: Iterable[dict[str, Any]]) -> None:
    """No event is told without a change, personal ones aside."""
    rebuilt = Rebuilt()
    for event in events:
        before = deepcopy(rebuilt)
        RETELL[event["type"]](rebuilt, event["data"])
        if event["type"] not in PERSONAL_ONLY and event["type"] != "squad.usage-limit-crossed.v1":
            assert rebuilt != before, event
