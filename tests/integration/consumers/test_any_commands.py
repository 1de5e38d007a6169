"""Whatever is asked for, in whatever batches, the invariants hold."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from checker.rebuilt import Rebuilt
from checker.retelling import RETELL
from domain.commands import Command
from tests import any_commands
from tests.applying import Bench
from tests.making import FakeRecord, record

PERSONAL = {"user.renamed.v1": "name", "user.email-changed.v1": "email"}
"""Events that only say that a field changed, which is personal: it is looked for in the table."""

TOLD_ANYWAY = {"user.password-hash-set.v1"}
"""Events of what may be the same as before: nobody here can tell."""

CROSSED = "squad.usage-limit-crossed.v1"

USAGE = {"squad.usage-recorded.v1": "value", "squad.usage-limit-set.v1": "limit"}
"""Events that can cause a crossing, and what of usage they change."""

Change = tuple[str, str, str]
"""The id of a command, the id of a user, and the personal field of theirs that it changed."""

QUICK = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@QUICK
@example(any_commands.seldom())
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

    changes = await applied_one_by_one(bench, records)
    one_by_one = await bench.snapshot()
    told, stored = await bench.retold()
    events = await bench.outbox()
    await versions_are_gapless(bench, events)

    assert told == stored
    assert_owners_are_active(events)
    assert_every_event_changes_something(events)
    assert_personal_changes_are_told(events, changes)
    assert_crossings_are_told_once(events)
    for size in (7, 500):
        await bench.forget()
        assert await applied(bench, records, size=size) == one_by_one


async def applied_one_by_one(bench: Bench, records: Sequence[FakeRecord]) -> set[Change]:
    """Apply records, each in a batch of its own, and give the personal fields that changed while they stayed."""
    changes = set()
    before: dict[str, dict[str, Any]] = {}
    for number, each in enumerate(records):
        await bench.apply(each)
        rows = await bench.rows("SELECT CAST(id AS text), name, email FROM users WHERE erased_at IS NULL")
        after = {user_id: {"name": name, "email": email} for user_id, name, email in rows}
        for user_id in before.keys() & after.keys():
            fields = [field for field in before[user_id] if before[user_id][field] != after[user_id][field]]
            changes |= {(str(number), user_id, field) for field in fields}
        before = after
    return changes


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
        if event["type"] not in PERSONAL.keys() | TOLD_ANYWAY | {CROSSED}:
            assert rebuilt != before, event


def assert_personal_changes_are_told(events: Iterable[dict[str, Any]], changes: set[Change]) -> None:
    """A name or an e-mail that changed is told by the command that changed it, and nothing else is."""
    told = [
        (event["causation_id"], event["data"]["user_id"], PERSONAL[event["type"]])
        for event in events
        if event["type"] in PERSONAL
    ]

    assert sorted(told) == sorted(changes)


def assert_crossings_are_told_once(events: Iterable[dict[str, Any]]) -> None:
    """Right after usage became more than its limit, and was not before, a crossing is told; never otherwise."""
    usage: dict[tuple[str, str, str], dict[str, Any]] = defaultdict(lambda: {"value": 0, "limit": None})
    crossed = None
    for event in events:
        data = event["data"]
        if event["type"] == CROSSED:
            assert crossed == data
            crossed = None
            continue
        assert crossed is None, event
        if event["type"] in USAGE:
            key = {name: data[name] for name in ("squad_id", "metric", "month")}
            used = usage[data["squad_id"], data["metric"], data["month"]]
            was_above = is_above(used)
            used[USAGE[event["type"]]] = data.get(USAGE[event["type"]])
            crossed = key | used if is_above(used) and not was_above else None
    assert crossed is None


def is_above(used: dict[str, Any]) -> bool:
    """Whether usage is more than its limit."""
    return used["limit"] is not None and used["value"] > used["limit"]
