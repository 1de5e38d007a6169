"""What the inbox says of the records of a redrive: which were answered, and what may be answered anew."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from consumers import inbox
from consumers.culprits import envelope_of
from consumers.decode import Incoming
from consumers.inbox import Identity, Known, Provisional
from messages.envelope import Envelope

NOTHING_FORGOTTEN: Final = -1
"""A floor for commands that the inbox knows: it keeps those whose outcomes are not final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What is known of the records of one transaction.

    Args:
        known: commands whose outcomes stand.
        provisional: those of the records' own outcomes that may be replaced.
        floor_microseconds: of commands sent by then, those that are not known may have been decided and forgotten.
    """

    known: dict[Identity, Known]
    provisional: dict[Identity, Provisional]
    floor_microseconds: int

    @property
    def revisions(self) -> dict[Identity, int]:
        """Which revisions the next outcomes are."""
        return {identity: row.revision + 1 for identity, row in self.provisional.items()}


async def find_answered(session: AsyncSession, own: Incoming | None, parked: Iterable[Incoming]) -> Answered:
    """Look the records up, and name those again that were answered before.

    A record whose sender may not send any more, or that is over a limit by now, counts as nobody's where it comes for
    the first time: it is not answered. But one that was answered, provisionally, is owed what became of it.

    Args:
        session: in the transaction.
        own: the dead letter's own record, if it is to be decided.
        parked: those that wait behind it.
    """
    everything = [*([] if own is None else [own]), *parked]
    claims = {id(each): envelope_of(each.record) for each in everything if each.identity is None}
    claimed = {Identity(envelope.source, envelope.id) for envelope in claims.values() if envelope is not None}
    named = {each.identity for each in everything if each.identity is not None}
    rows = await inbox.find_provisional(session, named | claimed)
    for each in everything:
        if (envelope := claims.get(id(each))) is not None:
            _name_again(each, envelope, rows)
    named = {each.identity for each in everything if each.identity is not None}
    found = await inbox.find(session, named)
    provisional = _own_rows(everything, rows)
    own_is_known = own is None or own.identity in provisional
    return Answered(
        known={identity: each for identity, each in found.known.items() if identity not in provisional},
        provisional=provisional,
        floor_microseconds=NOTHING_FORGOTTEN if own_is_known else found.floor_microseconds,
    )


def _name_again(incoming: Incoming, envelope: Envelope, rows: Mapping[Identity, Provisional]) -> None:
    identity = Identity(envelope.source, envelope.id)
    row = rows.get(identity)
    if row is not None and row.is_of(incoming.record):
        incoming.envelope, incoming.identity, incoming.fingerprint = envelope, identity, row.fingerprint


def _own_rows(incoming: Iterable[Incoming], found: dict[Identity, Provisional]) -> dict[Identity, Provisional]:
    """Leave out inbox rows that are another record's, which has the same id: that one is to be redriven itself."""
    rows = ((each, found[each.identity]) for each in incoming if each.identity in found)
    return {each.identity: row for each, row in rows if each.identity is not None and row.is_of(each.record)}
