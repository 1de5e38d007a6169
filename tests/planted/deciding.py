"""Bugs of the consumer: what makes a command count once, as it was sent, and in its turn."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from checker.faults import Invariant
from consumers import inbox
from consumers.decode import Decoder, Incoming
from consumers.inbox import Found, Identity
from consumers.records import Record
from consumers.results import Answer, Results
from tests import making
from tests.making import FakeRecord
from tests.planted.planting import PlantedBug
from tests.planted.trial import Trial

# Inbox ignored


async def _find_nothing(session: AsyncSession, identities: Collection[Identity]) -> Found:
    return Found({}, 0, any_parked=False)


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
    together_with="the count of rows that were added: one that is there already is taken for a rival's, and so the"
    " batch is decided again for ever",
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

# Decided out of order


def _decode_by_type(decoder: Decoder, records: Iterable[Record]) -> list[Incoming]:
    return sorted(_decode(decoder, records), key=lambda each: type(each.command).__name__)


async def _decide_by_type(trial: Trial) -> None:
    trial.patch.setattr(Decoder, "decode", _decode_by_type)


async def _send_two_types(trial: Trial) -> None:
    ada, bob = trial.register(), trial.register()
    await trial.drain()
    squad_id = trial.squad_of(ada)
    await trial.drain()
    trial.send(making.transfer(squad_id, bob))
    trial.project_in(squad_id)
    await trial.drain()


DECIDED_OUT_OF_ORDER = PlantedBug(
    name="a batch decided type by type",
    plant=_decide_by_type,
    meets="two commands of different types for one squad come in one batch",
    scenario=_send_two_types,
    caught_by=frozenset({Invariant.TAKEN_IN_ORDER}),
    seed=18,
)
