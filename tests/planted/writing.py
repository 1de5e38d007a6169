"""Bugs of what is written: locks, positions and partitions, which make the order of positions that of commits."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checker.faults import Invariant
from consumers.culprits import Culprit
from consumers.decide import Decisions
from consumers.decode import Incoming
from consumers.processor import Processor, Stopwatch
from consumers.records import Batch
from db import load
from db.database import Database
from outbox.append import Outbox
from tests.planted.gates import blocked_or_done, finish, hold_commit, hold_loading
from tests.planted.planting import HarmlessChange, PlantedBug
from tests.planted.trial import Trial

# Root not locked


async def _lock_no_squads(trial: Trial) -> None:
    unlocked = load.LOCK_SQUADS.text.replace("FOR SHARE", "").replace("FOR NO KEY UPDATE", "")
    trial.patch.setattr(load, "LOCK_SQUADS", text(unlocked))


async def _squad_in_two_partitions(trial: Trial) -> None:
    """A project for a squad in either partition, as there may be after partitions were added."""
    squad_id = trial.squad_of(trial.register())
    await trial.drain()
    trial.project_in(squad_id)
    trial.project_in(squad_id, partition=1)


async def _change_a_squad_twice_at_once(trial: Trial) -> None:
    await _squad_in_two_partitions(trial)
    gate = hold_commit(trial, partition=0)
    first = asyncio.create_task(trial.consumer().step(partition=0))
    await gate.reached.wait()
    second = asyncio.create_task(trial.consumer().step(partition=1))
    await blocked_or_done(trial, second)
    await finish(first, gate)
    await second


ROOT_NOT_LOCKED = PlantedBug(
    name="root not locked",
    plant=_lock_no_squads,
    meets="two consumers change one squad at once, because partitions were added",
    scenario=_change_a_squad_twice_at_once,
    caught_by=frozenset({Invariant.GAPLESS}),
    seed=21,
)

# Events appended before the last state write

_decide, _write, _write_outbox = Processor._decide, Processor._write, Outbox.write

_DRAW = text("SELECT nextval('outbox_position') FROM generate_series(1, 20)")
_TAKE_DRAWN = text(
    """
    UPDATE outbox o SET position = d.position
    FROM (
        SELECT position, row_number() OVER (ORDER BY position) AS number
        FROM outbox WHERE txid = pg_current_xact_id()
    ) AS mine
    JOIN unnest(CAST(:drawn AS bigint[])) WITH ORDINALITY AS d(position, number) USING (number)
    WHERE o.position = mine.position
    """
)


async def _draw_then_decide(
    processor: Processor,
    session: AsyncSession,
    batch: Batch,
    incoming: list[Incoming],
    stopwatch: Stopwatch,
    culprit: Culprit | None,
) -> Decisions:
    session.info["drawn"] = list(await session.scalars(_DRAW))
    return await _decide(processor, session, batch, incoming, stopwatch, culprit)


async def _write_as_drawn(outbox: Outbox, session: AsyncSession) -> None:
    await _write_outbox(outbox, session)
    await session.execute(_TAKE_DRAWN, {"drawn": session.info["drawn"]})


async def _draw_positions_first(trial: Trial) -> None:
    trial.patch.setattr(Processor, "_decide", _draw_then_decide)
    trial.patch.setattr(Outbox, "write", _write_as_drawn)


async def _overtake_before_the_lock(trial: Trial) -> None:
    await _squad_in_two_partitions(trial)
    gate = hold_loading(trial, partition=1)
    overtaken = asyncio.create_task(trial.consumer().step(partition=1))
    await gate.reached.wait()
    await trial.consumer().step(partition=0)
    await finish(overtaken, gate)


POSITIONS_BEFORE_LOCKS = PlantedBug(
    name="events appended before the roots are locked",
    plant=_draw_positions_first,
    meets="a batch waits between taking its positions and locking its squad, and another one overtakes it",
    scenario=_overtake_before_the_lock,
    caught_by=frozenset({Invariant.GAPLESS}),
    seed=22,
)


async def _write_outbox_first(
    processor: Processor, session: AsyncSession, batch: Batch, decisions: Decisions, stopwatch: Stopwatch
) -> None:
    await decisions.results.outbox.write(session)
    await _write(processor, session, batch, decisions, stopwatch)


async def _append_before_state(trial: Trial) -> None:
    trial.patch.setattr(Processor, "_write", _write_outbox_first)


EVENTS_BEFORE_STATE = HarmlessChange(
    name="events appended before the last state write",
    plant=_append_before_state,
    scenario=_change_a_squad_twice_at_once,
    why="all roots of a batch are locked before its first decision, so nobody can commit for its streams between its"
    " positions and its COMMIT; taken before the locks, they are out of order (above)",
    seed=26,
)


# Sequence CACHE 20


async def _cache_positions(trial: Trial) -> None:
    await trial.execute("ALTER SEQUENCE outbox_position CACHE 20")


async def _write_in_turns(trial: Trial) -> None:
    squad_id = trial.squad_of(trial.register())
    await trial.drain()
    connections = [Database(url=trial.database.url, pool_size=1) for _ in range(2)]
    for database in (*connections, *connections):
        trial.project_in(squad_id)
        await trial.consumer(database=database).step()
    for database in connections:
        await database.close()


SEQUENCE_CACHED = PlantedBug(
    name="sequence CACHE 20",
    plant=_cache_positions,
    meets="two connections write a squad's events in turns",
    scenario=_write_in_turns,
    caught_by=frozenset({Invariant.GAPLESS}),
    seed=23,
    needs="a database of its own",
)
