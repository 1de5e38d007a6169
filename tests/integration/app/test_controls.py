"""Pausing and resuming: what operators ask for is a row of `controls`, which running processes obey."""

import asyncio
import logging
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.controls import Controls
from app.pausing import TargetError
from consumers import checkpoints
from consumers.records import Partition
from db.controls import NotPausedError, Pauses
from db.database import Database
from outbox.errors import PausedShardsError
from stack import Stack
from tests.integration.app.conftest import Squad
from tests.relaying import Noted, RecordingPublisher, fetch_rows, leading_relay, write_rows


async def pauses_of(database: Database) -> Pauses:
    controls = Controls(database=database, interval_seconds=60)
    await controls.read_once()
    return controls.pauses


async def test_pausing_and_resuming_are_audited_with_what_was_before(database: Database, squad: Squad) -> None:
    async with database.transaction() as session:
        await checkpoints.create(session, "squad-consumers", {Partition("squad.commands", 3): 0})

    (paused,) = await squad("pause", "3", "--reason", "a strange command")
    assert (paused["target"], paused["before"]) == ("squad.commands[3]", None)
    (again,) = await squad("pause", "squad.commands[3]", "--reason", "two of them")
    assert (again["before"]["reason"], again["after"]["reason"]) == ("a strange command", "two of them")
    why = (await pauses_of(database)).why("consumer", "squad.commands[3]")
    assert why is not None
    assert why.startswith(f"squad.commands[3] paused by {again['after']['actor']} at ")
    assert why.endswith(": two of them")
    with pytest.raises(NotPausedError, match=r"consumer is not paused; what is: squad\.commands\[3\]"):
        await squad("resume", "consumer", "--reason", "a slip")
    (resumed,) = await squad("resume", "3", "--reason", "all is well")

    assert (resumed["before"]["reason"], resumed["after"]) == ("two of them", None)
    assert await pauses_of(database) == Pauses()
    notes = await fetch_rows(database, "SELECT action, target, reason, before IS NULL, after IS NULL FROM audit")
    assert [tuple(note) for note in notes] == [
        ("pause", "squad.commands[3]", "a strange command", True, False),
        ("pause", "squad.commands[3]", "two of them", False, False),
        ("resume", "squad.commands[3]", "all is well", False, True),
    ]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("7", r"ever read squad\.commands\[7\]; read are none"),
        ("squad.events[0]", r"ever read squad\.events\[0\]"),
        ("relay-9", "there is no shard relay-9; there are relay-0"),
        ("relays", "neither consumer nor relay"),
    ],
)
async def test_what_there_is_not_cannot_be_paused(database: Database, squad: Squad, target: str, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        await squad("pause", target, "--reason", "a slip")
    assert await fetch_rows(database, "SELECT 1 FROM controls UNION ALL SELECT 1 FROM audit") == []


async def test_paused_relay_publishes_nothing_not_even_what_is_released(database: Database, squad: Squad) -> None:
    controls = Controls(database=database, interval_seconds=60)
    publisher = RecordingPublisher(refuse=lambda record: record.key == b"a")

    def is_paused() -> bool:
        return controls.pauses.why("relay", "relay-0") is not None

    await write_rows(database, "a", [1, 2])
    async with leading_relay(database, publisher, page_rows=2, is_paused=is_paused) as relay:
        await relay.pass_once()
        publisher.refuse = lambda _: False
        await squad("holds", "release", "--topic", "squad.events", "--key", "a", "--reason", "mended")
        await write_rows(database, "b", [1, 2])
        await squad("pause", "relay-0", "--reason", "a subscriber is broken")
        await controls.read_once()
        assert [await relay.relay_batch() for _ in range(3)] == [0, 0, 0]
        assert publisher.records == []
        assert relay._pages._reader is None, "it keeps neither a page nor a connection"
        with pytest.raises(PausedShardsError, match="relay-0 is paused"):
            await squad("relay", "reshard", "--shards", "2", "--reason", "faster")

        await squad("pause", "relay", "--reason", "all of them")
        await squad("resume", "relay-0", "--reason", "all of them")
        await controls.read_once()
        assert await relay.pass_once() == 0
        await squad("resume", "relay", "--reason", "it is mended")
        await controls.read_once()
        await relay.pass_once()
        await relay.pass_once()

    assert [record.key for record in publisher.records] == [b"a", b"a", b"b", b"b"]


async def test_last_known_pauses_hold_while_the_database_is_away(
    database: Database, squad: Squad, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = make_url(str(database.engine.url)).database
    admin = create_async_engine(stack.database_url, isolation_level="AUTOCOMMIT")
    is_away, is_back = Noted("controls cannot be read"), Noted("controls can be read again")
    monkeypatch.setattr(logging.getLogger("squad.process"), "handlers", [is_away, is_back])

    async def administer(statement: str) -> None:
        async with admin.connect() as connection:
            await connection.execute(text(statement))

    told: list[Any] = []
    controls = Controls(database=database, interval_seconds=0.01)
    await squad("pause", "relay", "--reason", "before the outage")
    await controls.read_once()
    controls.follow(told.append)
    await administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(controls.run())
        await is_away.event.wait()
        assert controls.pauses.why("relay") is not None
        await administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await is_back.event.wait()
        controls.stop()
    await admin.dispose()
    assert controls.pauses.why("relay") is not None
    assert all(told), "nobody was told meanwhile that nothing is asked for"
