"""Bugs of when events are appended: before the locks, in a transaction of their own, before the last state write."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checker.faults import Invariant
from consumers import processor
from consumers.culprits import Culprit
from consumers.decide import Decisions
from consumers.decode import Incoming
from consumers.processor import Processor, Stopwatch
from consumers.records import Batch
from db.sweep import carry_out
from db.write import write_state
from domain.sweeps import Sweep
from outbox.append import Outbox
from tests import making
from tests.planted.committing import let_a_rival_win
from tests.planted.gates import finish, hold_loading
from tests.planted.planting import HarmlessChange, PlantedBug
from tests.planted.trial import Trial
from tests.planted.writing import change_a_squad_twice_at_once, squad_in_two_partitions

_decide, _write, _write_outbox = Processor._decide, Processor._write, Outbox.write

# Positions taken before the roots are locked

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
    await squad_in_two_partitions(trial)
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

# Events appended before the last state write: committed before it


async def _commit_outbox_first(
    processor: Processor, session: AsyncSession, batch: Batch, decisions: Decisions, stopwatch: Stopwatch
) -> None:
    async with processor._database.transaction() as own:
        await decisions.results.outbox.write(own)
    await _write(processor, session, batch, decisions, stopwatch)


async def _append_in_a_transaction_of_its_own(trial: Trial) -> None:
    trial.patch.setattr(Processor, "_write", _commit_outbox_first)


EVENTS_COMMITTED_BEFORE_STATE = PlantedBug(
    name="events appended before the last state write, and committed before it",
    plant=_append_in_a_transaction_of_its_own,
    meets="the connection breaks before the COMMIT of a batch, and a rival does the same before it is tried again",
    scenario=let_a_rival_win,
    caught_by=frozenset(
        {
            Invariant.ANSWERED,
            Invariant.OUTCOME_STORED,
            Invariant.EFFECT_ONCE,
            Invariant.REPEATED_ALIKE,
            Invariant.GAPLESS,
            Invariant.STATE_REBUILT,
        }
    ),
    seed=28,
)

# Events appended before the last state write: told before it


async def _tell_before_writing(session: AsyncSession, decisions: Decisions, asking: Incoming, sweep: Sweep) -> None:
    decisions.tell(asking, await carry_out(session, sweep, decisions.state))
    await write_state(session, decisions.state)


async def _tell_of_a_sweep_before_the_write(trial: Trial) -> None:
    trial.patch.setattr(processor, "end_segment", _tell_before_writing)


async def _sweep_what_the_batch_made(trial: Trial) -> None:
    squad_id = trial.squad_of(trial.register())
    project_id = trial.project_in(squad_id)
    trial.send(making.create_task(squad_id, project_id, trial.new_id()))
    await trial.drain()
    trial.send(making.create_task(squad_id, project_id, trial.new_id()))
    trial.send(making.complete_project_tasks(squad_id, project_id))
    await trial.drain()


EVENTS_TOLD_BEFORE_STATE = PlantedBug(
    name="events appended before the last state write, which they are to tell of",
    plant=_tell_of_a_sweep_before_the_write,
    meets="one batch creates a task of a project and completes all of the project's",
    scenario=_sweep_what_the_batch_made,
    caught_by=frozenset({Invariant.STATE_REBUILT}),
    seed=29,
)

# Events appended before the last state write: in the same transaction


async def _write_outbox_first(
    processor: Processor, session: AsyncSession, batch: Batch, decisions: Decisions, stopwatch: Stopwatch
) -> None:
    await decisions.results.outbox.write(session)
    await _write(processor, session, batch, decisions, stopwatch)


async def _append_before_state(trial: Trial) -> None:
    trial.patch.setattr(Processor, "_write", _write_outbox_first)


EVENTS_BEFORE_STATE = HarmlessChange(
    name="events appended before the last state write, in its transaction, once they are decided",
    plant=_append_before_state,
    scenario=change_a_squad_twice_at_once,
    why="all roots of a batch are locked before its first decision, so nobody can commit for its streams between its"
    " positions and its COMMIT; taken before the locks, committed before the state or told before it, events do harm"
    " (above)",
    seed=26,
)
