"""A command that fails, what waits behind it, the mend and the redrive, through Kafka and the command line."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from app import topic_logs
from app.cli.main import app
from app.settings import Settings
from tests import making
from tests.acceptance.conftest import environment, eventually, running, send
from tests.acceptance.test_consuming import consuming, decided, rows
from tests.applying import Bench
from tests.making import new_id
from tests.poison import POISON, poison
from tests.settling import Settling, project

REDRIVE_ALL = ("dead-letters", "redrive", "--all", "--execute", "--reason", "mended")


def set_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let verbs in this process have these settings."""
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)


async def squad_verb(*arguments: str) -> list[dict[str, Any]]:
    """Run a verb of `squad` in this process, and give what it printed."""
    result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


async def published_causes(settings: Settings, stream: str) -> list[str]:
    """Give which commands caused a stream's events, in order; its events have no gaps."""
    events = topic_logs.tail(settings, settings.topic("events"), from_beginning=True, to_end=True)
    found = [dict(each.headers) async for each in events if each.key == stream.encode()]
    assert [int(each["ce_sequence"] or b"") for each in found] == list(range(1, len(found) + 1))
    return [(each["ce_causationid"] or b"").decode() for each in found]


async def published_outcomes(settings: Settings) -> dict[str, list[tuple[str, int, bool]]]:
    """Give what was told of each command: outcome, revision, and whether it is final."""
    told: dict[str, list[tuple[str, int, bool]]] = {}
    async for each in topic_logs.tail(settings, settings.topic("outcomes"), from_beginning=True, to_end=True):
        body = json.loads(each.value or b"")
        told.setdefault(body["id"], []).append((body["outcome"], body["revision"], body["final"]))
    return told


async def test_failed_command_and_those_behind_it_are_redriven_in_order(service, database, monkeypatch):
    user, squad, other = new_id(), new_id(), new_id()
    set_environment(service.model_copy(update={"failure_attempts": 2}), monkeypatch)
    with running(service, "relay", "run"):
        async with consuming(service, database):
            await send(service, [making.register_user(user)])
            await eventually("there is a user", lambda: decided(database, 1))
            await send(service, [making.create_squad(user, other)])
            await eventually("there is a squad", lambda: decided(database, 2))
            with monkeypatch.context() as patch:
                poison(patch)
                poisoned = making.create_squad(user, squad, name=POISON)
                behind = [making.create_project(squad) for _ in range(3)]
                ids = await send(service, [poisoned, *behind, making.create_project(other)])
                await eventually("all are decided or wait", lambda: decided(database, 7))
            [group] = await squad_verb("dead-letters", "groups")
            assert (group["count"], group["reason"], group["type"]) == (1, "unexpected", "squad.create.v1")
            [parked] = await squad_verb("parked", "list")
            assert (parked["stream"], parked["records"], parked["behind"]) == (squad, 3, group["example"])

            [result] = await squad_verb("dead-letters", "redrive", group["example"], "--reason", "mended")
            assert (result["became"], result["decided"]) == ("redriven", 4)
            more = await send(service, [making.create_project(squad)])
            await eventually("it goes on", lambda: decided(database, 8))

        async def are_published() -> bool:
            return len(await published_causes(service, squad)) == 5

        await eventually("the events are published", are_published)
        assert await published_causes(service, squad) == [*ids[:4], *more]
        told = await published_outcomes(service)
    assert told[ids[0]] == [("dead-lettered", 1, False), ("applied", 2, True)]
    assert [told[each] for each in ids[1:4]] == [[("parked", 1, False), ("applied", 2, True)]] * 3
    assert told[ids[4]] == told[more[0]] == [("applied", 1, True)]


async def test_partition_that_stopped_because_too_many_wait_goes_on_by_itself_after_the_redrive(
    service, database, monkeypatch
):
    user, squad = new_id(), new_id()
    few = service.model_copy(update={"failure_attempts": 1, "parked_stream_max_commands": 2})
    set_environment(few, monkeypatch)
    async with consuming(few, database) as (_, source):
        await send(few, [making.register_user(user)])
        await eventually("there is a user", lambda: decided(database, 1))

        async def is_stopped() -> bool:
            return bool(source.stopped)

        with monkeypatch.context() as patch:
            poison(patch)
            await send(few, [making.create_squad(user, squad, name=POISON)])
            await send(few, [making.create_project(squad) for _ in range(5)])
            await eventually("too many wait", is_stopped)
        assert await rows(database, "SELECT count(*) FROM inbox") == [(1 + 1 + 2,)]
        await squad_verb(*REDRIVE_ALL)
        await eventually("it goes on", lambda: decided(database, 7))

        assert source.stopped == {}
        assert await rows(database, "SELECT DISTINCT outcome FROM inbox") == [("applied",)]


async def test_redrive_that_is_killed_and_done_again_applies_every_parked_command_once_and_in_order(
    settings, database, monkeypatch
):
    """It is a process of its own, ended as a crash ends it, after some of its transactions and in the next one."""
    settling, ids = Settling(Bench(database)), [new_id() for _ in range(201)]
    await settling.begin()
    with monkeypatch.context() as patch:
        poison(patch)
        await settling.settle(project(settling.mine, ids[0], name=POISON))
        await settling.settle(*(project(settling.mine, each) for each in ids[1:]))
    small = settings.model_copy(update={"topic_prefix": "squad.", "batch_max_commands": 5})

    async def in_the_middle() -> bool:
        return await stored_causes(settling) == ids[:100]

    async def is_gone() -> bool:
        return await connected(settling) <= ours

    async with database.transaction() as session:
        # It comes no further than this one.
        await session.execute(text("SELECT 1 FROM parked WHERE command_id = :id FOR UPDATE"), {"id": ids[100]})
        ours = await connected(settling)
        with running(small, *REDRIVE_ALL) as killed:
            await eventually("half of them are applied", in_the_middle)
            killed.kill()
    await eventually("its connections are closed, and with them its locks", is_gone)
    assert await in_the_middle()
    assert await settling.bench.rows("SELECT state FROM dead_letters") == [("redriving",)]

    with running(small.model_copy(update={"batch_max_commands": 100}), *REDRIVE_ALL) as again:
        code, printed = again.finish()

    assert code == 0, printed
    assert "100 decided, 1 wait" in printed
    assert await stored_causes(settling) == ids
    outcomes = await settling.bench.rows(
        "SELECT outcome, outcome_revision, outcome_final, count(*) FROM inbox"
        " WHERE command_id = ANY(:ids) GROUP BY 1, 2, 3",
        ids=ids,
    )
    assert outcomes == [("applied", 2, True, len(ids))]
    assert await settling.bench.rows("SELECT state FROM dead_letters") == [("redriven",)]
    assert await settling.bench.rows("SELECT 1 FROM parked UNION ALL SELECT 1 FROM parked_streams") == []


async def stored_causes(settling: Settling) -> list[str]:
    """Give which commands caused the events of the squad, but for the one that made it; they have no gaps."""
    events = [each for each in await settling.bench.outbox() if each["key"] == settling.mine]
    assert [each["sequence"] for each in events] == list(range(1, len(events) + 1))
    return [each["causation_id"] for each in events[1:]]


async def connected(settling: Settling) -> set[int]:
    """Give the server's processes that serve this database."""
    found = await settling.bench.rows(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    )
    return {pid for (pid,) in found}
