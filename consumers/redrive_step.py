"""One transaction of a redrive: a dead letter's own record, and the next ones that wait behind it, by the live path."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from consumers import dead_letters, inbox, letter_locks, own_record, queues
from consumers.answered import find_answered
from consumers.culprits import Culprit
from consumers.decide import Decisions, declare_reads
from consumers.decode import Decoder, Incoming
from consumers.inbox import Identity, Provisional, RivalError
from consumers.letter_filter import LetterState
from consumers.letter_locks import Act, LockedLetter, SettledError
from consumers.outgoing import Topics
from consumers.parking import Parking, ParkingLimits
from consumers.queue_order import Plan, Queues
from consumers.records import Record
from consumers.redrive_orders import Attempt, Order, Progress
from consumers.results import Results
from db.load import load_state, lock_roots
from db.write import write_state
from domain.reads import Reads
from domain.values import Id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    letter: LockedLetter
    own: Incoming | None
    queues: Queues
    incoming: dict[int, Incoming]
    """Of each parked record, by the identity of its object."""


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
        letter, answered = loaded.letter, await find_answered(session, loaded.own, loaded.incoming.values())
        seen = await queues.look(session, {stream for each in loaded.queues.records for stream in each.streams})
        plan = loaded.queues.plan(seen, letter.id, most=attempt.most - attempt.own)
        # Nothing else is loaded, so that what fails alone is the culprit.
        planned = [loaded.incoming[id(waiting)] for waiting in plan.order]
        attempt.note(planned)
        deciding = [loaded.own, *planned] if loaded.own is not None and order.act is Act.REDRIVE else planned
        reads = declare_reads(deciding, answered.known)
        _add_streams(reads, loaded.queues.by_stream)
        state = await (load_state if attempt.culprit is None else lock_roots)(session, reads)
        parked = await _lock_streams(session, loaded, reads, seen)
        results = Results(self.topics, answered.known, answered.revisions)
        floor = answered.floor_microseconds
        decisions = Decisions(results, state, letter.now, floor, Parking(ParkingLimits()), attempt.culprit)
        if loaded.own is not None:
            await own_record.settle(session, order.act, loaded.own, letter, decisions, parked, answered.provisional)
        for incoming in planned:
            await own_record.decide(session, decisions, incoming)
        await _write(session, decisions, answered.provisional)
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
            streams_of=lambda record: own_record.streams_of_command(self.decoder.decode([record])[0]),
        )
        waiting = begun.records
        records: list[Record] = [each.record for each in waiting]
        own = self.decoder.decode([letter.record])[0] if attempt.own else None
        incoming = self.decoder.decode(records)
        by_object = {id(each): read for each, read in zip(waiting, incoming, strict=True)}
        return _Loaded(letter=letter, own=own, queues=begun, incoming=by_object)


def _add_streams(reads: Reads, streams: Iterable[Id]) -> None:
    """Lock the root of each stream, too, of whatever kind it is: nothing is parked in it meanwhile."""
    for stream in streams:
        reads.user_to_change(stream)
        reads.squad_to_change(stream)


async def _lock_streams(session: AsyncSession, loaded: _Loaded, reads: Reads, seen: dict[Id, Id]) -> dict[Id, Id]:
    """Lock the parked streams, after their roots; give the letter that each waits behind, which is what was seen."""
    parked = await queues.lock(session, {*reads.streams_to_change(), *seen})
    of_letter = {stream for stream, behind in parked.items() if behind == loaded.letter.id}
    if of_letter != set(loaded.queues.by_stream):
        raise RivalError("another stream was parked behind the dead letter meanwhile")
    if any(parked.get(stream) != behind for stream, behind in seen.items()):
        raise RivalError("a stream was handed on meanwhile")
    return parked


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
        after = {"state": state, "parked": waiting}
        await letter_locks.note_act(session, letter, order.act, reason=order.reason, after=after)
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
