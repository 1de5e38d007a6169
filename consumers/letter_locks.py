"""A dead letter in the hands of one operator: locked, judged, and marked with what became of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.dead_letters import storable
from consumers.letter_filter import LetterState
from consumers.letter_search import NoLetterError
from consumers.stored_records import COLUMNS, StoredRecord, read_row
from db import audit
from db.database import Database
from db.errors import sqlstate
from messages.refusals import Reason

LOCK_NOT_AVAILABLE: Final = "55P03"

# Not FOR UPDATE: a consumer that parks another stream behind it refers to it, and must not wait for an operator.
_LOCK: Final = text(
    f"""
    SELECT CAST(id AS text) AS id, state, reason, detail, replay_count, now() AS now, {COLUMNS}
    FROM dead_letters
    WHERE id = CAST(:id AS uuid)
    FOR NO KEY UPDATE NOWAIT
    """  # noqa: S608 - constants only
)

_MARK: Final = text("UPDATE dead_letters SET state = :state, last_at = now() WHERE id = CAST(:id AS uuid)")

_NOTE_FAILURE: Final = text(
    """
    UPDATE dead_letters
    SET state = 'open', replay_count = replay_count + 1, attempts = attempts + :attempts, last_at = now(),
        detail = :detail
    WHERE id = CAST(:id AS uuid)
    """
)

_CLAIM: Final = text("SELECT pg_try_advisory_xact_lock(:number)").bindparams(bindparam("number", type_=BigInteger))


class Act(StrEnum):
    """What an operator does with a dead letter."""

    REDRIVE = "redrive"
    DISCARD = "discard"


class LetterError(Exception):
    """A dead letter cannot be redriven or discarded as things are; nothing was changed."""


class TakenError(LetterError):
    """Another operator is at it."""


class UnfitError(LetterError):
    """It is one that may not be redriven."""


class SettledError(LetterError):
    """It is redriven or discarded already, and nothing waits behind it.

    Args:
        letter_id: of the dead letter.
        state: of it.
    """

    def __init__(self, letter_id: str, state: LetterState) -> None:
        super().__init__(f"dead letter {letter_id} is {state}, and nothing waits behind it")
        self.state = state


class WaitsError(LetterError):
    """Its command writes a stream that waits behind another dead letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLetter:
    """A dead letter whose row is locked.

    Args:
        id: as text.
        state, reason, detail, replay_count: as of `consumers.letter_search.Letter`.
        record: its own.
        now: when the transaction began.
    """

    id: str
    state: LetterState
    reason: str
    detail: str
    replay_count: int
    record: StoredRecord
    now: datetime

    def check(self, act: Act, *, max_replays: int) -> None:
        """Refuse what may not be done with it; if it is half done, going on with it may.

        Raises:
            UnfitError: it may not be redriven, or not be discarded any more.
        """
        if self.state is LetterState.REDRIVING and act is Act.DISCARD:
            raise UnfitError(f"dead letter {self.id} is decided already: redrive it, for what still waits behind it")
        if self.state is not LetterState.OPEN or act is Act.DISCARD:
            return
        if self.reason == Reason.UNFETCHABLE:
            raise UnfitError(f"dead letter {self.id} has no record: it could not be read from Kafka; discard it")
        if self.reason == Reason.TOO_OLD:
            raise UnfitError(
                f"dead letter {self.id} is too old: whether its command was decided is not known any more; discard it"
            )
        if self.replay_count >= max_replays:
            raise UnfitError(
                f"dead letter {self.id} was redriven in vain {self.replay_count} times; --force tries it again"
            )


async def lock(session: AsyncSession, letter_id: str) -> LockedLetter:
    """Lock a dead letter for the transaction.

    Raises:
        NoLetterError: there is none of this id.
        TakenError: another operator has it.
    """
    try:
        row: Any = (await session.execute(_LOCK, {"id": letter_id})).one_or_none()
    except DBAPIError as error:
        if sqlstate(error) == LOCK_NOT_AVAILABLE:
            raise TakenError(f"another operator is at dead letter {letter_id}") from None
        raise
    if row is None:
        raise NoLetterError(f"there is no dead letter {letter_id}")
    return LockedLetter(
        id=row.id,
        state=LetterState(row.state),
        reason=row.reason,
        detail=row.detail,
        replay_count=row.replay_count,
        record=read_row(row),
        now=row.now,
    )


async def mark(session: AsyncSession, letter_id: str, state: LetterState) -> None:
    """Say what became of a locked dead letter."""
    await session.execute(_MARK, {"id": letter_id, "state": str(state)})


async def note_failure(session: AsyncSession, letter_id: str, *, detail: str, attempts: int) -> None:
    """Say that a locked dead letter was redriven in vain. Its reason stays: it is published with that one.

    Args:
        session: in its transaction.
        letter_id: whose row is locked.
        detail: what is wrong with it now.
        attempts: how often its record was tried.
    """
    noted = {"id": letter_id, "detail": storable(detail), "attempts": attempts}
    await session.execute(_NOTE_FAILURE, noted)


async def note_act(
    session: AsyncSession, letter: LockedLetter, act: Act, *, reason: str, after: Mapping[str, Any]
) -> None:
    """Write down what an operator did with a locked dead letter.

    Args:
        session: in its transaction.
        letter: as it was before.
        act, reason: what was done, and why.
        after: what became of it.
    """
    await audit.record(
        session,
        action=f"dead-letters {act}",
        target=f"dead_letters/{letter.id}",
        reason=reason,
        before={"state": letter.state, "reason": letter.reason, "replay_count": letter.replay_count},
        after=after,
    )


@asynccontextmanager
async def claimed(database: Database, letter_id: str) -> AsyncIterator[AsyncSession]:
    """Keep every other operator from a dead letter, also between two transactions of its redrive.

    The lock is a transaction's, so that it holds behind a pooler too; it ends with the process that has it.

    Args:
        database: of a connection of its own, which is to be used now and then, or the server ends its transaction.
        letter_id: of the dead letter.

    Raises:
        TakenError: another operator has it.
    """
    async with database.transaction() as session:
        number = int.from_bytes(UUID(letter_id).bytes[:8], signed=True)
        if not await session.scalar(_CLAIM, {"number": number}):
            raise TakenError(f"another operator is at dead letter {letter_id}")
        yield session
