"""Bugs of what is written: locks and positions, which make the order of positions that of commits."""

import asyncio

from sqlalchemy import text

from checker.faults import Invariant
from db import load
from db.database import Database
from tests.planted.gates import blocked_or_done, finish, hold_commit
from tests.planted.planting import PlantedBug
from tests.planted.trial import Trial

# Root not locked


async def _lock_no_squads(trial: Trial) -> None:
    unlocked = load.LOCK_SQUADS.text.replace("FOR SHARE", "").replace("FOR NO KEY UPDATE", "")
    trial.patch.setattr(load, "LOCK_SQUADS", text(unlocked))


async def squad_in_two_partitions(trial: Trial) -> None:
    """A project for a squad in either partition, as there may be after partitions were added."""
    squad_id = trial.squad_of(trial.register())
    await trial.drain()
    trial.project_in(squad_id)
    trial.project_in(squad_id, partition=1)


async def change_a_squad_twice_at_once(trial: Trial) -> None:
    await squad_in_two_partitions(trial)
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
    scenario=change_a_squad_twice_at_once,
    caught_by=frozenset({Invariant.GAPLESS}),
    seed=21,
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
