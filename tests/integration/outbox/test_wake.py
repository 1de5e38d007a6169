"""Waking by NOTIFY, from one connection to another."""

import asyncio

import asyncpg
import pytest

from db.database import Database
from outbox.wake import Listener, Notifier, Wake


async def test_notifier_outlives_a_backend_that_ends_while_it_begins_to_speak(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, tries = asyncpg.Connection.execute, iter(range(10))

    async def fail_once(self: asyncpg.Connection, statement: str, **options: float | None) -> str:
        if statement.startswith("NOTIFY") and next(tries) == 0:
            raise asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")
        return str(await execute(self, statement, **options))

    monkeypatch.setattr(asyncpg.Connection, "execute", fail_once)
    wake = Wake()
    listener, notifier = Listener(database=database, wake=wake), Notifier(database=database)
    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        group.create_task(listener.run())
        group.create_task(notifier.run())
        await listener.listening.wait()
        assert await wake.wait(20)
        while not await wake.wait(0.05):
            notifier.notify()
        listener.stop()
        notifier.stop()
    assert next(tries) > 1


async def test_notification_wakes_across_connections(database: Database) -> None:
    wake = Wake()
    listener, notifier = Listener(database=database, wake=wake), Notifier(database=database)
    async with asyncio.TaskGroup() as group:
        group.create_task(listener.run())
        group.create_task(notifier.run())
        await listener.listening.wait()
        assert await wake.wait(20)  # for what was committed before
        for _ in range(10):
            notifier.notify()
        assert await wake.wait(20)
        listener.stop()
        notifier.stop()
