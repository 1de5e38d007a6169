"""Bugs of the consumer: what makes a command count once, whatever is read twice, cut off or late."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from checker.faults import Invariant
from consumers import checkpoints, inbox, processor
from consumers.decode import Decoder, Incoming
from consumers.inbox import Identity, Known
from consumers.records import Partition, Record
from consumers.results import Answer, Results
from db.database import Database
from db.load import load_state
from domain.reads import Reads
from domain.state import State
from tests import making
from tests.making import FakeRecord
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

# Inbox ignored


async def _find_nothing(session: AsyncSession, identities: Collection[Identity]) -> tuple[dict[Identity, Known], int]:
    return {}, 0


async def _insert_what_is_new(session: AsyncSession, rows: Sequence[tuple[Any, ...]]) -> None:
    await inbox.ROWS.insert(session, sorted(rows, key=lambda row: row[:2]), skip_existing=True)


async def _ignore_inbox(trial: Trial) -> None:
    """Both looks at it: a row that is there already would else count as a rival's, and be waited for."""
    trial.patch.setattr(inbox, "find", _find_nothing)
    trial.patch.setattr(inbox, "insert", _insert_what_is_new)


async def _send_a_transfer_again_after_its_reverse(trial: Trial) -> None:
    ada, bob = trial.register(), trial.register()
    squad_id = trial.squad_of(ada)
    there = trial.send(making.transfer(squad_id, bob))
    trial.send(making.transfer(squad_id, ada))
    await trial.drain()
    trial.send_again(there)
    await trial.drain()


INBOX_IGNORED = PlantedBug(
    name="inbox ignored",
    plant=_ignore_inbox,
    meets="a squad is transferred, and back; then the producer sends the first transfer once more",
    scenario=_send_a_transfer_again_after_its_reverse,
    caught_by=frozenset(
        {Invariant.EFFECT_ONCE, Invariant.REPEATED_ALIKE, Invariant.VERSION_REACHED, Invariant.STATE_REBUILT}
    ),
    seed=13,
)

# Hash ignored


def _repeat_whatever_it_is(results: Results, incoming: Incoming, answer: Answer) -> None:
    results.counts["duplicate"] += 1
    results._append_answer(answer)


async def _ignore_hash(trial: Trial) -> None:
    trial.patch.setattr(Results, "repeat", _repeat_whatever_it_is)


async def _use_an_id_twice(trial: Trial) -> None:
    command_id = trial.new_id()
    for user_id in (trial.new_id(), trial.new_id()):
        # Which of them is first is for the log to say, not for the producer.
        trial.send(making.register_user(user_id), command_id=command_id, expected=None)
    await trial.drain()


HASH_IGNORED = PlantedBug(
    name="hash ignored",
    plant=_ignore_hash,
    meets="a producer gives two commands the same id",
    scenario=_use_an_id_twice,
    caught_by=frozenset({Invariant.ONE_CONTENT}),
    seed=14,
)

# Skip on decode error

_decode = Decoder.decode


def _decode_what_can_be_read(decoder: Decoder, records: Iterable[Record]) -> list[Incoming]:
    return [incoming for incoming in _decode(decoder, records) if incoming.refusal is None]


async def _skip_what_cannot_be_read(trial: Trial) -> None:
    trial.patch.setattr(Decoder, "decode", _decode_what_can_be_read)


async def _send_noise(trial: Trial) -> None:
    trial.register()
    trial.put(FakeRecord(key=b"noise", value=b"\xff"), expected=None)
    careless = making.record(making.register_user(trial.new_id()), command_id=trial.new_id())
    careless.value = b'{"user_id": 5}'
    trial.put(careless, expected=None)
    await trial.drain()


SKIPPED_ON_DECODE_ERROR = PlantedBug(
    name="skip on decode error",
    plant=_skip_what_cannot_be_read,
    meets="a record is noise, and another one's data does not fit its type",
    scenario=_send_noise,
    caught_by=frozenset({Invariant.DECIDED_ONCE, Invariant.LETTER_KEPT, Invariant.ANSWERED}),
    seed=15,
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
