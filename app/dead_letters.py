"""Dead letters and what is parked behind them, as an operator sees them."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import IO, Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import raw_records, wiring
from app.commands import InputError
from app.settings import Settings
from consumers import letter_search, parked_search, stored_records
from consumers.letter_filter import Filter, LetterState
from consumers.letter_search import Letter, NoLetterError
from db import audit
from db.models import InboxCommand

EXPORT_PAGE: Final = 50
"""Records that an export holds at once; each may have a megabyte."""

EVERY_STATE: Final = tuple(LetterState)


async def fetch_page(
    settings: Settings, chosen: Filter, *, after: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Give dead letters, the oldest first.

    Args:
        settings: where they are.
        chosen: which.
        after: the id of the last one of the page before.
        limit: how many at most.

    Raises:
        NoLetterError: `after` is none.
    """
    async with wiring.open_database(settings, pool_size=1) as database, database.transaction() as session:
        page = await letter_search.fetch_page(session, chosen, after=after, limit=limit)
    return [describe(letter) for letter in page]


def describe(letter: Letter) -> dict[str, Any]:
    """Give a dead letter without its record."""
    return {
        "id": letter.id,
        "state": str(letter.state),
        "reason": letter.reason,
        "type": letter.type,
        "key": raw_records.show_key(letter.key),
        "place": str(letter.place),
        "first_at": letter.first_at.isoformat(timespec="seconds"),
        "last_at": letter.last_at.isoformat(timespec="seconds"),
        "attempts": letter.attempts,
        "replay_count": letter.replay_count,
        "source": letter.source,
        "command_id": letter.command_id,
        "detail": letter.detail,
    }


async def show(settings: Settings, letter_id: str) -> dict[str, Any]:
    """Give a dead letter with its record, masked, the outcome that its command has, and what waits behind it.

    Raises:
        NoLetterError: there is none of this id.
    """
    async with wiring.open_database(settings, pool_size=1) as database, database.transaction() as session:
        page = await letter_search.fetch_page(session, Filter(states=EVERY_STATE, ids=[letter_id]), limit=1)
        if not page:
            raise NoLetterError(f"there is no dead letter {letter_id}")
        [letter] = page
        records = await stored_records.fetch_of_letters(session, [letter_id])
        streams = await parked_search.fetch_streams(session, dead_letter_id=letter_id)
        outcome = await _outcome(session, letter)
    return describe(letter) | {
        "record": raw_records.describe(records[letter_id]),
        "outcome": outcome,
        "parked": [{"stream": each.stream, "records": each.records} for each in streams],
    }


async def _outcome(session: AsyncSession, letter: Letter) -> dict[str, Any] | None:
    row = await session.scalar(
        select(InboxCommand).where(InboxCommand.source == letter.source, InboxCommand.command_id == letter.command_id)
    )
    if row is None:
        return None
    return {"outcome": row.outcome, "revision": row.outcome_revision, "final": row.outcome_final}


async def fetch_groups(settings: Settings, chosen: Filter, *, limit: int = 100) -> list[dict[str, Any]]:
    """Give dead letters by reason, type and detail, the largest groups first."""
    async with wiring.open_database(settings, pool_size=1) as database, database.transaction() as session:
        groups = await letter_search.fetch_groups(session, chosen, limit=limit)
    return [
        {
            "count": group.count,
            "reason": group.reason,
            "type": group.type,
            "detail": group.detail,
            "first_at": group.first_at.isoformat(timespec="seconds"),
            "last_at": group.last_at.isoformat(timespec="seconds"),
            "example": group.example,
        }
        for group in groups
    ]


async def export(
    settings: Settings, chosen: Filter, *, raw_because: str | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Give dead letters with their records, page by page.

    Args:
        settings: where they are.
        chosen: which.
        raw_because: why the records are wanted whole, for the audit; absent: they are masked.
    """
    async with wiring.open_database(settings, pool_size=1) as database:
        if raw_because is not None:
            # First, so that nothing is given away that nobody knows of.
            async with database.transaction() as session:
                before = {"letters": await letter_search.count_by_state(session, chosen), "chosen": chosen.describe()}
                await audit.record(
                    session, action="dead-letters export", target="dead_letters", reason=raw_because, before=before
                )
        last: str | None = None
        while True:
            async with database.transaction() as session:
                page = await letter_search.fetch_page(session, chosen, after=last, limit=EXPORT_PAGE)
                records = await stored_records.fetch_of_letters(session, [letter.id for letter in page])
            for letter in page:
                record = records[letter.id]
                yield describe(letter) | {
                    "record": raw_records.describe(record) if raw_because is None else raw_records.encode(record)
                }
            if len(page) < EXPORT_PAGE:
                return
            last = page[-1].id


async def write(settings: Settings, chosen: Filter, *, to: str, raw_because: str | None = None) -> int:
    """Write dead letters with their records as JSON Lines.

    Args:
        settings: where they are.
        chosen: which.
        to: the path of a file that does not exist yet, which only its owner may read; `-` is standard output.
        raw_because: as of `export`.

    Returns:
        How many.

    Raises:
        InputError: the file exists, or cannot be made.
    """
    written = 0
    with nullcontext(sys.stdout) if to == "-" else _make(to) as file:
        async for each in export(settings, chosen, raw_because=raw_because):
            file.write(json.dumps(each, default=str) + "\n")
            written += 1
    return written


def _make(path: str) -> IO[str]:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
    except OSError as error:
        raise InputError(f"--to: {error}") from None


async def fetch_parked(
    settings: Settings, *, stream: str | None = None, dead_letter_id: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Give the streams that wait, those that have waited longest first."""
    async with wiring.open_database(settings, pool_size=1) as database, database.transaction() as session:
        found = await parked_search.fetch_streams(session, stream=stream, dead_letter_id=dead_letter_id, limit=limit)
    return [
        {
            "stream": each.stream,
            "records": each.records,
            "since": each.since.isoformat(timespec="seconds"),
            "oldest": each.oldest_at and each.oldest_at.isoformat(timespec="seconds"),
            "behind": each.dead_letter_id,
            "reason": each.reason,
            "detail": each.detail,
        }
        for each in found
    ]


async def show_parked(settings: Settings, stream: str, *, after: int = -1, limit: int = 100) -> list[dict[str, Any]]:
    """Give the records of a stream that wait, in order, masked.

    Args:
        settings: where they are.
        stream: the id of the user or squad.
        after: the number of the last one of the page before.
        limit: how many at most.
    """
    async with wiring.open_database(settings, pool_size=1) as database, database.transaction() as session:
        found = await parked_search.fetch_records(session, stream, after=after, limit=limit)
    return [{"number": number} | raw_records.describe(record) for number, record in found]
