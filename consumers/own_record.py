"""A dead letter's own record: decided by the live path, or given up for ever."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from consumers.decide import Decisions, streams_of
from consumers.decode import Incoming
from consumers.inbox import Identity, Provisional
from consumers.letter_locks import Act, LockedLetter, WaitsError
from consumers.processor import end_segment
from consumers.redrive_orders import RefusedAgainError
from consumers.results import Results
from domain.values import Id
from messages.ids import CommandIds
from messages.outcome import CommandOutcome, Outcome
from messages.registry import OUTCOME


def streams_of_command(incoming: Incoming) -> list[Id]:
    """Give the streams that a record's command writes; none, where it cannot be read."""
    return [] if incoming.command is None else streams_of(incoming.command)


async def settle(
    session: AsyncSession,
    act: Act,
    own: Incoming,
    letter: LockedLetter,
    decisions: Decisions,
    parked: Mapping[Id, Id],
    provisional: Mapping[Identity, Provisional],
) -> None:
    """Decide a dead letter's own record, or give it up.

    Args:
        session: in the transaction.
        act: what is to be done.
        own: the record, as far as it can be read now.
        letter: whose it is.
        decisions: of the transaction.
        parked: behind which letter each parked stream waits.
        provisional: the inbox rows that may be replaced.

    Raises:
        WaitsError: it writes a stream that waits behind another letter.
        RefusedAgainError: it still cannot be read, or its id is another command's.
    """
    if act is Act.DISCARD:
        _discard(own, letter, decisions.results, provisional)
        return
    others = {behind for stream in streams_of_command(own) if (behind := parked.get(stream)) not in (None, letter.id)}
    if others:
        raise WaitsError(
            f"the command of dead letter {letter.id} waits behind another one: {sorted(map(str, others))[0]}"
        )
    await decide(session, decisions, own)
    if decisions.results.letters:
        [refused] = decisions.results.letters
        raise RefusedAgainError(refused.reason, refused.detail)


def _discard(
    own: Incoming, letter: LockedLetter, results: Results, provisional: Mapping[Identity, Provisional]
) -> None:
    """End a command's story.

    What has no outcome of its own gets none now: nobody could tell who sent it, its sender was never allowed to, or its
    id is another command's. Nobody waits for one: it was not answered when it came.
    """
    envelope, identity = own.envelope, own.identity
    row = None if identity is None else provisional.get(identity)
    if envelope is None or identity is None or row is None:
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


async def decide(session: AsyncSession, decisions: Decisions, incoming: Incoming) -> None:
    """Decide a record as a batch does, with its sweep."""
    sweep = decisions.decide(incoming)
    if sweep is not None:
        await end_segment(session, decisions, incoming, sweep)
