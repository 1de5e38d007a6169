"""One transaction of a redrive: a dead letter's own record, and the next ones that wait behind it, by the live path."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from consumers import dead_letters, inbox, letter_locks, queues
from consumers.culprits import Culprit, envelope_of
from consumers.decide import Decisions, declare_reads, streams_of
from consumers.decode import Decoder, Incoming
from consumers.inbox import Identity, Provisional, RivalError
from consumers.letter_locks import Act, LockedLetter, SettledError, WaitsError
from consumers.letter_search import LetterState
from consumers.parking import Parking, ParkingLimits
from consumers.processor import end_segment
from consumers.queues import Plan, Queues
from consumers.records import Record
from consumers.results import Results, Topics
from db import audit
from db.load import load_state, lock_roots
from db.write import write_state
from domain.reads import Reads
from domain.values import Id
from messages.ids import CommandIds
from messages.outcome import CommandOutcome, Outcome
from messages.refusals import Reason
from messages.registry import OUTCOME

NOTHING_FORGOTTEN: Final = -1
"""A floor for commands that the inbox knows: it keeps those whose outcomes are not final."""


class RefusedAgainError(Exception):
    """A dead letter's own record still cannot be applied.

    Args:
        reason, detail: what is wrong with it now.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator wants of a dead letter.

    Args:
        act: redrive or discard.
        reason: why, for the audit.
        max_replays: how often it may have been redriven in vain.
    """

    act: Act
    reason: str
    max_replays: int


@dataclass(slots=True, kw_only=True)
class Attempt:
    """How a transaction is to go about it, and how far it came, should it fail.

    Args:
        most: records that it takes at most.
        culprit: given where its only record has failed often enough: that becomes a dead letter.
        audited: whether the act is noted already.
        loaded: how many records it took; known as soon as it can fail because of one.
        own: whether the letter's own record is among them.
        type_name: of the last one that waited, where it can be read.
    """

    most: int
    culprit: Culprit | None = None
    audited: bool = False
    loaded: int = 0
    own: bool = False
    type_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a committed transaction did.

    Args:
        decided: how many records.
        left: rows that still wait behind the letter.
        streams_left: streams that do.
        became_letters: ids of further dead letters, of records that waited.
        state: of the letter now.
    """

    decided: int
    left: int
    streams_left: int
    became_letters: Sequence[Id]
    state: LetterState


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    letter: LockedLetter
    own: Incoming | None
    queues: Queues
    incoming: dict[int, Incoming]
    """Of each parked record, by the identity of its object."""

    @property
    def everything(self) -> list[Incoming]:
        return [*([] if self.own is None else [self.own]), *self.incoming.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Carries out one transaction of a redrive or discard.

    Args:
        decoder: reads records.
        topics: where messages go.
        max_bytes: of what one transaction takes of a stream, about.
    """

    decoder: Decoder
    topics: Topics
    max_bytes: int = field(default=4 * 1024 * 1024)

    async def take(self, session: AsyncSession, letter_id: Id, order: Order, attempt: Attempt) -> Progress:
        """Decide the next records: locks in the order of every transaction, letter, roots, parked streams.

        Args:
            session: in a transaction of its own.
            letter_id: of the dead letter.
            order: what is wanted.
            attempt: how to go about it.

        Raises:
            LetterError: it may not be done, or not now.
            RefusedAgainError: the letter's own record is still none that can be applied.
            RivalError: something changed meanwhile: do it again.
            Exception: what the database or a handler said.
        """
        loaded = await self._load(session, letter_id, order, attempt)
        letter, streams = loaded.letter, set(loaded.queues.by_stream)
        identities = {each.identity for each in loaded.everything if each.identity is not None}
        found = await inbox.find(session, identities)
        provisional = _own_rows(loaded.everything, await inbox.find_provisional(session, identities))
        known = {identity: each for identity, each in found.known.items() if identity not in provisional}
        deciding = [each for each in loaded.everything if each is not loaded.own or order.act is Act.REDRIVE]
        reads = declare_reads(deciding, known)
        _add_streams(reads, streams)
        state = await (load_state if attempt.culprit is None else lock_roots)(session, reads)
        parked = await queues.lock(session, reads.streams_to_change())
        if {stream for stream, behind in parked.items() if behind == letter.id} != streams:
            raise RivalError("another stream was parked behind the dead letter meanwhile")
        plan = loaded.queues.plan(parked, letter.id, most=attempt.most)
        attempt.type_name = _type_of_last(loaded, plan)
        results = Results(self.topics, known, {each: row.revision + 1 for each, row in provisional.items()})
        own_is_known = loaded.own is None or loaded.own.identity in provisional
        floor = NOTHING_FORGOTTEN if own_is_known else found.floor_microseconds
        decisions = Decisions(results, state, letter.now, floor, Parking(ParkingLimits()), attempt.culprit)
        if loaded.own is not None:
            await _settle_own(session, order.act, loaded.own, letter, decisions, parked, provisional)
        for waiting in plan.order:
            await _decide(session, decisions, loaded.incoming[id(waiting)])
        await _write(session, decisions, provisional)
        handed_on = _hand_on(loaded, plan, decisions, attempt.culprit)
        return await _advance(session, loaded, plan, handed_on, order, attempt, results)

    async def _load(self, session: AsyncSession, letter_id: Id, order: Order, attempt: Attempt) -> _Loaded:
        letter = await letter_locks.lock(session, letter_id)
        letter.check(order.act, max_replays=order.max_replays)
        streams = await queues.fetch_streams(session, letter.id)
        attempt.own = letter.state is LetterState.OPEN
        if not attempt.own and not streams:
            raise SettledError(letter.id, letter.state)
        begun = await queues.load(
            session,
            streams,
            most=attempt.most - attempt.own,
            max_bytes=self.max_bytes,
            streams_of=lambda record: _streams(self.decoder.decode([record])[0]),
        )
        waiting = begun.records
        records: list[Record] = [each.record for each in waiting]
        own = self.decoder.decode([letter.record])[0] if attempt.own else None
        attempt.loaded = len(records) + attempt.own
        incoming = self.decoder.decode(records)
        by_object = {id(each): read for each, read in zip(waiting, incoming, strict=True)}
        return _Loaded(letter=letter, own=own, queues=begun, incoming=by_object)


def _type_of_last(loaded: _Loaded, plan: Plan) -> str | None:
    envelope = loaded.incoming[id(plan.order[-1])].envelope if plan.order else None
    return None if envelope is None else envelope.type


def _streams(incoming: Incoming) -> list[Id]:
    return [] if incoming.command is None else streams_of(incoming.command)


def _add_streams(reads: Reads, streams: Iterable[Id]) -> None:
    """Lock the root of each stream, too, of whatever kind it is: nothing is parked in it meanwhile."""
    for stream in streams:
        reads.user_to_change(stream)
        reads.squad_to_change(stream)


def _own_rows(incoming: Iterable[Incoming], found: dict[Identity, Provisional]) -> dict[Identity, Provisional]:
    """Leave out inbox rows that are another record's, which has the same id: that one is to be redriven itself."""
    own = {}
    for each in incoming:
        row = None if each.identity is None else found.get(each.identity)
        place = (each.record.topic, each.record.partition, each.record.offset)
        if each.identity is not None and row is not None and (row.topic, row.partition, row.offset) == place:
            own[each.identity] = row
    return own


async def _settle_own(
    session: AsyncSession,
    act: Act,
    own: Incoming,
    letter: LockedLetter,
    decisions: Decisions,
    parked: dict[Id, Id],
    provisional: dict[Identity, Provisional],
) -> None:
    if act is Act.DISCARD:
        _discard(own, letter, decisions.results, provisional)
        return
    others = {behind for stream in _streams(own) if (behind := parked.get(stream)) not in (None, letter.id)}
    if others:
        raise WaitsError(
            f"the command of dead letter {letter.id} waits behind another one: {sorted(map(str, others))[0]}"
        )
    await _decide(session, decisions, own)
    if decisions.results.letters:
        [refused] = decisions.results.letters
        raise RefusedAgainError(refused.reason, refused.detail)


def _discard(own: Incoming, letter: LockedLetter, results: Results, provisional: dict[Identity, Provisional]) -> None:
    """End a command's story; one that has no outcome of its own, because nobody could read who sent it, gets none."""
    envelope = own.envelope or envelope_of(own.record)
    if envelope is None:
        return
    identity = own.identity = Identity(envelope.source, envelope.id)
    row = provisional.get(identity)
    if row is None:
        return
    own.fingerprint = row.fingerprint
    outcome = CommandOutcome(
        source=envelope.source,
        id=envelope.id,
        type=envelope.type,
        outcome=Outcome.DEAD_LETTERED,
        code=letter.reason,
        detail="Discarded by an operator; nothing was changed",
        revision=results.revision_of(identity),
    )
    ids = CommandIds(envelope.source, envelope.id)
    results.conclude(own, envelope, ids, Outcome.DEAD_LETTERED, OUTCOME.encode(outcome), (), final=True)


async def _decide(session: AsyncSession, decisions: Decisions, incoming: Incoming) -> None:
    sweep = decisions.decide(incoming)
    if sweep is not None:
        await end_segment(session, decisions, incoming, sweep)


async def _write(session: AsyncSession, decisions: Decisions, provisional: dict[Identity, Provisional]) -> None:
    results = decisions.results
    new: list[tuple[Any, ...]] = []
    replaced: list[tuple[Any, ...]] = []
    for row in results.inbox:
        (replaced if Identity(row[0], row[1]) in provisional else new).append(row)
    await inbox.insert(session, new)
    await inbox.replace(session, replaced)
    await dead_letters.insert(session, results.letters)
    await write_state(session, decisions.state)
    await results.outbox.write(session)


def _hand_on(loaded: _Loaded, plan: Plan, decisions: Decisions, culprit: Culprit | None) -> dict[Id, Id]:
    """Say which streams wait behind another letter from now on, and behind which."""
    handed_on = dict(plan.blocked)
    given_up = [letter for letter in decisions.results.letters if letter.culprit is not None]
    if culprit is not None and culprit.parks and given_up:
        [waiting], [letter] = plan.order, given_up
        handed_on |= dict.fromkeys(waiting.streams & loaded.queues.by_stream.keys(), letter.id)
    return handed_on


async def _advance(
    session: AsyncSession,
    loaded: _Loaded,
    plan: Plan,
    handed_on: dict[Id, Id],
    order: Order,
    attempt: Attempt,
    results: Results,
) -> Progress:
    """Take what was decided out of the queues, and say how far the letter is."""
    letter, streams = loaded.letter, set(loaded.queues.by_stream)
    new = {each.id for each in results.letters}
    await queues.remove(session, plan.order)
    for other in sorted(set(handed_on.values()) - new):
        # Its operator must not take it for settled meanwhile.
        await letter_locks.lock(session, other)
    for other in sorted(set(handed_on.values())):
        await queues.hand_on(session, [stream for stream, to in handed_on.items() if to == other], other)
    await queues.free(session, streams - handed_on.keys(), letter.id)
    left = await queues.fetch_streams(session, letter.id)
    state = _state(letter, order.act, waits=bool(left))
    await letter_locks.mark(session, letter.id, state)
    waiting = await queues.count(session, letter.id)
    if not attempt.audited:
        await audit.record(
            session,
            action=f"dead-letters {order.act}",
            target=f"dead_letters/{letter.id}",
            reason=order.reason,
            before={"state": letter.state, "reason": letter.reason, "replay_count": letter.replay_count},
            after={"state": state, "parked": waiting},
        )
    return Progress(
        decided=len(plan.order) + attempt.own,
        left=waiting,
        streams_left=len(left),
        became_letters=sorted(new),
        state=state,
    )


def _state(letter: LockedLetter, act: Act, *, waits: bool) -> LetterState:
    if act is Act.DISCARD or letter.state is LetterState.DISCARDED:
        return LetterState.DISCARDED
    return LetterState.REDRIVING if waits else LetterState.REDRIVEN
