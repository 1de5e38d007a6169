"""Bugs of the consumer's transaction: where it begins, what it rests on, and what its COMMIT is worth."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from checker.faults import Invariant
from consumers import checkpoints, processor
from consumers.records import Partition, Record
from db.database import Database
from db.driver import fetch_records
from db.load import load_state
from domain.reads import Reads
from domain.state import State
from outbox import window, wire
from outbox.append import Outbox
from outbox.relay import Relay
from tests import making
from tests.planted.gates import before_commit, cut
from tests.planted.planting import PlantedBug
from tests.planted.trial import Trial

# Batch's beginning not compared


async def _lock_only(session: AsyncSession, group: str, begins: Mapping[Partition, int]) -> datetime:
    rows = (await session.execute(checkpoints._LOCK, checkpoints._parameters(group, begins))).all()
    began: datetime = rows[0][3]
    return began


async def compare_no_beginnings(trial: Trial) -> None:
    """Let every batch pass, wherever it begins."""
    trial.patch.setattr(checkpoints, "lock_and_compare", _lock_only)


async def _leave_a_batch_behind(trial: Trial) -> None:
    for _ in range(4):
        trial.register()
    consumer = trial.consumer()
    await consumer.read(count=2)
    await consumer.step(count=2)


BEGINNING_NOT_COMPARED = PlantedBug(
    name="batch's beginning not compared",
    plant=compare_no_beginnings,
    meets="a batch is given up, and the one behind it, read already, is applied",
    scenario=_leave_a_batch_behind,
    caught_by=frozenset({Invariant.DECIDED_ONCE, Invariant.ANSWERED, Invariant.AS_EXPECTED}),
    seed=11,
)


async def _wake_a_zombie(trial: Trial) -> None:
    for _ in range(4):
        trial.register()
    zombie = trial.consumer()
    batch = await zombie.read(count=2)
    await trial.consumer().drain()
    await zombie.settle(batch)


ZOMBIE_NOT_FENCED = PlantedBug(
    name="batch's beginning not compared, beside a zombie",
    plant=compare_no_beginnings,
    meets="a consumer stands still with a batch in its hands, another applies all, and the first one wakes",
    scenario=_wake_a_zombie,
    caught_by=frozenset({Invariant.ANSWERED}),
    seed=12,
)

# Retry of COMMIT alone


@asynccontextmanager
async def _commit_again(database: Database) -> AsyncIterator[AsyncSession]:
    async with database.sessions() as session:
        yield session
        try:
            await session.commit()
        except DBAPIError:
            async with database.sessions() as another:
                await another.commit()


async def _try_commit_alone_again(trial: Trial) -> None:
    trial.patch.setattr(Database, "transaction", _commit_again)


async def _cut_at_commit(trial: Trial) -> None:
    for _ in range(4):
        trial.register()
    consumer = trial.consumer()
    before_commit(trial, lambda session: cut(trial, session), partition=0)
    await consumer.step(count=2)
    await consumer.step(count=2)


COMMIT_ALONE_AGAIN = PlantedBug(
    name="retry of COMMIT alone",
    plant=_try_commit_alone_again,
    meets="the connection breaks before the COMMIT of a batch, and the next batch follows",
    scenario=_cut_at_commit,
    caught_by=frozenset({Invariant.DECIDED_ONCE, Invariant.ANSWERED, Invariant.AS_EXPECTED}),
    seed=16,
    masked_by="the next batch does not begin at the checkpoint, is dropped, and everything is read again from there",
    unmask=compare_no_beginnings,
)

# Redo with stale state


async def _load_once(trial: Trial) -> None:
    kept: dict[str, State] = {}

    async def load_or_remember(session: AsyncSession, reads: Reads) -> State:
        if repr(reads) not in kept:
            kept[repr(reads)] = deepcopy(await load_state(session, reads))
        return deepcopy(kept[repr(reads)])

    trial.patch.setattr(processor, "load_state", load_or_remember)


async def _let_a_rival_in_between(trial: Trial) -> None:
    """The squad's commands are in two partitions, as they are after partitions were added."""
    squad_id = trial.squad_of(trial.register())
    await trial.drain()
    trial.project_in(squad_id)
    trial.project_in(squad_id, partition=1)
    await _be_overtaken(trial)


async def _be_overtaken(trial: Trial) -> None:
    """Apply what waits in the second partition; at its first COMMIT it is cut, and the first partition goes before."""

    async def be_cut_and_overtaken(session: AsyncSession) -> None:
        await cut(trial, session)
        await trial.consumer().step(partition=0)

    before_commit(trial, be_cut_and_overtaken, partition=1)
    await trial.consumer().step(partition=1)


REDONE_WITH_STALE_STATE = PlantedBug(
    name="redo with stale state",
    plant=_load_once,
    meets="the connection breaks before the COMMIT of a batch, and a rival changes its squad before it is tried again",
    scenario=_let_a_rival_in_between,
    caught_by=frozenset({Invariant.GAPLESS}),
    seed=17,
)

# Checkpoint stored at the last record

_advance = checkpoints.advance
_STEP_BACK = text("UPDATE checkpoints SET next_offset = next_offset - 1 WHERE consumer_group = :consumer_group")


async def _advance_to_the_last(session: AsyncSession, group: str, last_records: Mapping[Partition, Record]) -> None:
    await _advance(session, group, last_records)
    await session.execute(_STEP_BACK, {"consumer_group": group})


async def _store_the_last_offset(trial: Trial) -> None:
    trial.patch.setattr(checkpoints, "advance", _advance_to_the_last)


async def _restart_between_two_batches(trial: Trial) -> None:
    for _ in range(2):
        trial.register()
        await trial.drain()


CHECKPOINT_AT_THE_LAST_RECORD = PlantedBug(
    name="checkpoint stored at the last record instead of behind it",
    plant=_store_the_last_offset,
    meets="a consumer is started anew between two batches",
    scenario=_restart_between_two_batches,
    caught_by=frozenset({Invariant.CHECKPOINT_AT_END, Invariant.ANSWERED}),
    seed=19,
)

# Published before COMMIT

_write = Outbox.write
_MINE = text(f"SELECT {window.COLUMNS} FROM outbox WHERE txid = pg_current_xact_id() ORDER BY position")


async def _publish_at_once(trial: Trial) -> None:
    """Whoever decides tells Kafka itself, and there is no relay."""

    async def write_and_publish(outbox: Outbox, session: AsyncSession) -> None:
        await _write(outbox, session)
        await trial.publisher.publish(wire.wrap(await fetch_records(session, _MINE, {})))

    async def relay_nothing(_: Relay) -> int:
        return 0

    trial.patch.setattr(Outbox, "write", write_and_publish)
    trial.patch.setattr(Relay, "pass_once", relay_nothing)


async def let_a_rival_win(trial: Trial) -> None:
    """Two partitions have the same transfer; the second one's is cut before its COMMIT, and the first one goes before.

    What it decided at first is no longer true when it is tried again.
    """
    ada, bob = trial.register(), trial.register()
    squad_id = trial.squad_of(ada)
    await trial.drain()
    for partition in (0, 1):
        trial.send(making.transfer(squad_id, bob), partition=partition, expected=None)
    await _be_overtaken(trial)


PUBLISHED_BEFORE_COMMIT = PlantedBug(
    name="events published by the consumer itself, before its COMMIT",
    plant=_publish_at_once,
    meets="the connection breaks before the COMMIT of a batch, and a rival does the same before it is tried again",
    scenario=let_a_rival_win,
    caught_by=frozenset(
        {
            Invariant.OUTCOME_STORED,
            Invariant.EFFECT_ONCE,
            Invariant.NOTHING_ADDED,
            Invariant.SENT_AS_STORED,
            Invariant.REPEATED_ALIKE,
            Invariant.REPEATED_LITTLE,
            Invariant.ORDER_KEPT,
            Invariant.GAPLESS,
            Invariant.STATE_REBUILT,
        }
    ),
    seed=20,
)
