"""Bugs of the outbox's days: the sequence that jumps into them, and the partitions that are retired."""

import asyncio
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text

from checker.faults import Invariant
from outbox import partitions
from outbox.day_tables import DETACHED
from outbox.days import partition_name
from outbox.partitions import Partitions
from outbox.retention import Retention
from tests.planted.gates import blocked_or_done, finish, hold_commit
from tests.planted.planting import PlantedBug
from tests.planted.trial import Trial

# The sequence set to the greatest of target and last value

_LOCK = 4711
_JUMP = text(
    f"""
    SELECT setval('outbox_position', greatest(:target, last_value))
    FROM outbox_position, LATERAL (SELECT pg_advisory_xact_lock({_LOCK} + last_value - last_value)) AS moment
    WHERE :near_end > 0
    """
)
"""As one would write it, with the moment between reading and writing made long: it takes a lock there."""


async def _jump_to_the_greatest(trial: Trial) -> None:
    trial.patch.setattr(partitions, "_JUMP", _JUMP)


async def _write_while_the_day_changes(trial: Trial) -> None:
    squad_id = trial.squad_of(trial.register())
    await trial.drain()
    async with trial.database.sessions() as holder:
        await holder.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        jumping = asyncio.create_task(Partitions(database=trial.database).maintain_once())
        await blocked_or_done(trial, jumping)
        await trial.rows("SELECT nextval('outbox_position') FROM generate_series(1, 10)")
        trial.project_in(squad_id)
        await trial.drain()
    await jumping
    trial.project_in(squad_id)
    await trial.drain()


SEQUENCE_SET_BACK = PlantedBug(
    name="`setval(greatest)`",
    plant=_jump_to_the_greatest,
    meets="while the sequence is looked after, one writer takes positions and rolls back, and another one commits",
    scenario=_write_while_the_day_changes,
    caught_by=frozenset({Invariant.GAPLESS}),
    seed=24,
    needs="a database of its own",
)


async def _write_what_stays_while_the_day_changes(trial: Trial) -> None:
    async with trial.database.sessions() as holder:
        await holder.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        jumping = asyncio.create_task(Partitions(database=trial.database).maintain_once())
        await blocked_or_done(trial, jumping)
        for _ in range(20):
            trial.register()
        await trial.drain()
    await jumping


SEQUENCE_SET_BACK_FOR_GOOD = PlantedBug(
    name="`setval(greatest)`, beside many writers",
    plant=_jump_to_the_greatest,
    meets="while the sequence is looked after, twenty commands are applied",
    scenario=_write_what_stays_while_the_day_changes,
    caught_by=frozenset(
        {
            Invariant.AS_EXPECTED,
            Invariant.DECIDED_ONCE,
            Invariant.ANSWERED,
            Invariant.CHECKPOINT_AT_END,
            Invariant.GOES_ON,
        }
    ),
    seed=27,
    needs="a database of its own",
)

# Detach before check

_OLD = datetime(2031, 3, 4, 0, 0, 1, tzinfo=UTC)
_LATER = _OLD + timedelta(days=20)


async def _detach_then_look(retention: Retention, day: date) -> str | None:
    name = partition_name(day)
    async with retention._database.engine.begin() as connection:
        await retention._begin(connection)
        await connection.execute(text(f"ALTER TABLE outbox DETACH PARTITION {name}"))
        await connection.execute(text(f"COMMENT ON TABLE {name} IS '{DETACHED}{retention._now().isoformat()}'"))
    async with retention._database.engine.connect() as connection:
        return await retention.look(connection, day)


async def _detach_first(trial: Trial) -> None:
    trial.patch.setattr(Retention, "detach_once", _detach_then_look)


async def _retire_beside_a_late_writer(trial: Trial) -> None:
    await Partitions(database=trial.database, days_ahead=1, now=lambda: _OLD).maintain_once()
    trial.register(partition=1)
    gate = hold_commit(trial, partition=1)
    late = asyncio.create_task(trial.consumer().step(partition=1))
    await gate.reached.wait()
    await Partitions(database=trial.database, days_ahead=1, now=lambda: _LATER).maintain_once()
    trial.register()
    await trial.consumer().step()
    await trial.publish()
    retention = Retention(database=trial.database, now=lambda: _LATER, lock_timeout_seconds=20)
    detaching = asyncio.create_task(retention.detach_once(_OLD.date()))
    await blocked_or_done(trial, detaching)
    await finish(late, gate)
    await detaching


DETACHED_BEFORE_CHECK = PlantedBug(
    name="detach before check",
    plant=_detach_first,
    meets="a writer that began twenty days ago commits while its partition is being retired",
    scenario=_retire_beside_a_late_writer,
    caught_by=frozenset(
        {Invariant.ANSWERED, Invariant.EFFECT_ONCE, Invariant.VERSION_REACHED, Invariant.STATE_REBUILT}
    ),
    seed=25,
    needs="a database of its own",
)
