"""Bugs of the relay: what makes every committed row appear, and no more often than it has to, in order for each key."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from checker.faults import Invariant
from db.driver import fetch_records
from outbox import window
from outbox.pages import Pages
from outbox.reader import Page, Reader, _OpenWindow
from outbox.settling import Settled
from outbox.window import Window, take_snapshot
from tests.planted.gates import finish, hold_commit
from tests.planted.planting import PlantedBug
from tests.planted.trial import Trial
from tests.relaying import DisturbedError

ROWS_LOST = frozenset(
    {
        Invariant.PUBLISHED,
        Invariant.ANSWERED,
        Invariant.EFFECT_ONCE,
        Invariant.VERSION_REACHED,
        Invariant.STATE_REBUILT,
    }
)
"""What does not hold where a stream's last event, and the outcome that goes with it, are never published."""

# `id > last` cursor

_HIGHEST = text("SELECT max(position) FROM outbox WHERE position > :at")


async def _open_what_is_higher(reader: Reader) -> _OpenWindow | None:
    at = reader._cursor.position
    high = await reader._connection.scalar(_HIGHEST, {"at": at})
    if high is None:
        return None
    everything = reader._cursor.closed_at("3:3:")
    current = await take_snapshot(reader._connection)
    higher = Window(
        previous=everything.previous, current=current, slot_from=everything.slot_from, slot_to=everything.slot_to
    )
    return _OpenWindow(window=higher, at=at, high=high, is_small=False)


async def _remember_the_position_only(trial: Trial) -> None:
    trial.patch.setattr(Reader, "_open_window", _open_what_is_higher)


async def _commit_late(trial: Trial) -> None:
    trial.register(partition=1)
    late = hold_commit(trial, partition=1)
    async with trial.relay() as relay:
        writing = asyncio.create_task(trial.consumer().step(partition=1))
        await late.reached.wait()
        trial.register()
        await trial.consumer().step()
        await relay.pass_once()
        await finish(writing, late)
        await relay.pass_once()


POSITION_CURSOR = PlantedBug(
    name="`id > last` cursor",
    plant=_remember_the_position_only,
    meets="a transaction takes its positions, and commits when later positions are published",
    scenario=_commit_late,
    caught_by=ROWS_LOST,
    seed=31,
)

# Cursor stored before the acknowledgement

_publish, _find_bound = Pages._publish, Window.find_bound


async def _store_then_publish(pages: Pages, reader: Reader, page: Page) -> Settled:
    await reader.advance(page)
    return await _publish(pages, reader, page)


async def _store_first(trial: Trial) -> None:
    trial.patch.setattr(Pages, "_publish", _store_then_publish)


async def _break_while_publishing(trial: Trial) -> None:
    trial.register()
    await trial.drain()

    async def break_off(_: Any) -> None:
        trial.publisher.before = None
        raise DisturbedError

    trial.publisher.before = break_off
    async with trial.relay() as relay:
        with suppress(DisturbedError):
            await relay.pass_once()


CURSOR_BEFORE_ACKNOWLEDGEMENT = PlantedBug(
    name="cursor stored before the acknowledgement",
    plant=_store_first,
    meets="the connection to Kafka breaks while a page is being published",
    scenario=_break_while_publishing,
    caught_by=ROWS_LOST,
    seed=32,
)

# Bound asked inside the reading statement

_BOUND = """(
        SELECT max(position)
        FROM (SELECT position FROM outbox WHERE position > :at ORDER BY position LIMIT :page_rows) p
    )"""
_FETCH = window._statement(window._FETCH.replace(":bound", _BOUND), sliced=False)


async def _ask_for_the_bound_while_reading(trial: Trial) -> None:
    async def fetch(self: Window, connection: AsyncConnection, *, at: int, bound: int) -> Sequence[Sequence[Any]]:
        return await fetch_records(connection, _FETCH, self._after | {"at": at, "page_rows": trial.page_rows})

    trial.patch.setattr(Window, "fetch", fetch)


async def _commit_between_bound_and_page(trial: Trial) -> None:
    trial.page_rows = 4
    for _ in range(2):
        trial.register()
    trial.register(partition=1)
    await trial.consumer().step(partition=0)
    gate = hold_commit(trial, partition=1)
    late = asyncio.create_task(trial.consumer().step(partition=1))
    await gate.reached.wait()
    for _ in range(3):
        trial.register()
    await trial.consumer().step(partition=0)
    bounds = 0

    async def find_bound(self: Window, connection: AsyncConnection, **place: int) -> int:
        nonlocal bounds
        bound = await _find_bound(self, connection, **place)
        bounds += 1
        if bounds == 2:
            await finish(late, gate)
        return bound

    trial.patch.setattr(Window, "find_bound", find_bound)
    await trial.publish()


BOUND_INSIDE = PlantedBug(
    name="bound asked inside the reading statement",
    plant=_ask_for_the_bound_while_reading,
    meets="a transaction with positions of a page commits between the two moments at which that page is looked at",
    scenario=_commit_between_bound_and_page,
    caught_by=ROWS_LOST,
    seed=33,
)
