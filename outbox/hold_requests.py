"""Held rows as operators see them, and what they can ask of the relay that leads the rows' shard."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import BigInteger, Boolean, LargeBinary, SmallInteger, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit
from messages.keys import slot_of
from outbox.errors import RelayError
from outbox.wake import CHANNEL

# A line without a key is a hold of its own.
_LIST: Final = text(
    """
    SELECT topic, key, min(position) AS position, count(*) AS rows, (array_agg(reason ORDER BY position))[1] AS reason,
           min(since) AS since, bool_or(release_requested) AS release_requested,
           bool_or(skip_requested) AS skip_requested, bool_or(divert_requested) AS divert_requested,
           max(awaits) AS awaits
    FROM held
    WHERE (:topic IS NULL OR topic = :topic) AND (:key IS NULL OR key = :key)
    GROUP BY topic, key, CASE WHEN key IS NULL THEN position END
    ORDER BY position
    LIMIT :limit
    """
).bindparams(bindparam("topic", type_=Text), bindparam("key", type_=LargeBinary))

_FIND: Final = text("SELECT topic, key, slot, reason FROM held WHERE position = :position FOR UPDATE").bindparams(
    bindparam("position", type_=BigInteger)
)

_FIND_KEY: Final = text(
    "SELECT position FROM held WHERE slot = :slot AND topic = :topic AND key = :key ORDER BY position LIMIT 1"
).bindparams(bindparam("slot", type_=SmallInteger), bindparam("topic", type_=Text), bindparam("key", type_=LargeBinary))

_RELEASE: Final = text(
    """
    UPDATE held SET release_requested = true
    WHERE slot = :slot AND topic = :topic AND key IS NOT DISTINCT FROM :key
      AND (key IS NOT NULL OR position = :position)
    """
).bindparams(
    bindparam("slot", type_=SmallInteger),
    bindparam("topic", type_=Text),
    bindparam("key", type_=LargeBinary),
    bindparam("position", type_=BigInteger),
)

_LET_GO: Final = text(
    """
    UPDATE held SET skip_requested = skip_requested OR :is_skip, divert_requested = divert_requested OR :is_divert
    WHERE position = :position
    """
).bindparams(
    bindparam("is_skip", type_=Boolean), bindparam("is_divert", type_=Boolean), bindparam("position", type_=BigInteger)
)

_NOTIFY: Final = text("SELECT pg_notify(:channel, '')")


class NotHeldError(RelayError):
    """There is no such held row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSummary:
    """What waits together: the rows of a topic and key, or one row without a key.

    Attributes:
        position, reason: of its first row.
        rows: how many wait.
        since: when the first of them began to.
        release_requested, skip_requested, divert_requested: what an operator asked for and the relay has not done yet.
        awaits: the topic or partition that takes nothing now; when it does, the relay goes on by itself.
    """

    topic: str
    key: bytes | None
    position: int
    rows: int
    reason: str
    since: datetime
    release_requested: bool
    skip_requested: bool
    divert_requested: bool
    awaits: str | None


async def fetch_holds(
    session: AsyncSession, *, topic: str | None = None, key: bytes | None = None, limit: int = 1000
) -> list[HoldSummary]:
    """Give the holds, those with the lowest positions first.

    Args:
        session: any.
        topic, key: only these.
        limit: how many at most.
    """
    found = await session.execute(_LIST, {"topic": topic, "key": key, "limit": limit})
    return [HoldSummary(**row._mapping) for row in found]


async def find_position(session: AsyncSession, *, topic: str, key: bytes) -> int:
    """Give the first held position of a topic and key.

    Raises:
        NotHeldError: nothing of it is held.
    """
    position = await session.scalar(_FIND_KEY, {"slot": slot_of(key), "topic": topic, "key": key})
    if position is None:
        raise NotHeldError(f"nothing of topic {topic} and this key is held")
    return int(position)


async def request_release(session: AsyncSession, *, position: int, reason: str) -> int:
    """Ask for the hold that a position is part of to be released: all its rows, in order, then the hold is over.

    Args:
        session: in a transaction, which the caller commits.
        position: of any of its rows.
        reason: for the audit.

    Returns:
        How many rows wait in it now.

    Raises:
        NotHeldError: nothing at this position is held.
    """
    row = await _find(session, position)
    rows = await _release(session, row, position)
    before = {"rows": rows, "reason": row.reason}
    await audit.record(session, action="holds release", target=f"outbox/{position}", reason=reason, before=before)
    await session.execute(_NOTIFY, {"channel": CHANNEL})
    return rows


async def request_skip(session: AsyncSession, *, position: int, reason: str, release_others: bool) -> None:
    """Ask for one held row to be dropped for ever.

    Args:
        session: in a transaction, which the caller commits.
        position: of the row.
        reason: for the audit.
        release_others: whether the others of its topic and key are to be published then; else they stay held.

    Raises:
        NotHeldError: nothing at this position is held.
    """
    await _let_go(session, "skip", position=position, reason=reason, release_others=release_others)


async def request_divert(session: AsyncSession, *, position: int, reason: str, release_others: bool) -> None:
    """Ask for one held row to be published as a dead letter, in place of where it was to go; all as `request_skip`."""
    await _let_go(session, "divert", position=position, reason=reason, release_others=release_others)


async def _let_go(
    session: AsyncSession, way: Literal["skip", "divert"], *, position: int, reason: str, release_others: bool
) -> None:
    row = await _find(session, position)
    await session.execute(_LET_GO, {"position": position, "is_skip": way == "skip", "is_divert": way == "divert"})
    if release_others:
        await _release(session, row, position)
    before = {"topic": row.topic, "key": None if row.key is None else row.key.decode(errors="replace")}
    await audit.record(
        session,
        action=f"holds {way}",
        target=f"outbox/{position}",
        reason=reason,
        before=before | {"reason": row.reason},
        after={"others": "released" if release_others else "held"},
    )
    await session.execute(_NOTIFY, {"channel": CHANNEL})


async def _find(session: AsyncSession, position: int) -> Any:  # noqa: ANN401 - a row
    found = (await session.execute(_FIND, {"position": position})).one_or_none()
    if found is None:
        raise NotHeldError(f"no row at position {position} is held")
    return found


async def _release(session: AsyncSession, row: Any, position: int) -> int:  # noqa: ANN401 - of `_find`
    place = {"slot": row.slot, "topic": row.topic, "key": row.key, "position": position}
    result: Any = await session.execute(_RELEASE, place)
    return int(result.rowcount)


def parse_key(given: str) -> bytes:
    r"""Give the key that an operator wrote: text, or bytes in hexadecimal after `\x`.

    Raises:
        ValueError: what follows is not hexadecimal.
    """
    return bytes.fromhex(given[2:]) if given.startswith("\\x") else given.encode()


def show_key(key: bytes | None) -> str | None:
    """Write a key as `parse_key` takes it."""
    if key is None:
        return None
    try:
        shown = key.decode()
    except UnicodeDecodeError:
        return "\\x" + key.hex()
    return shown if shown.isprintable() and not shown.startswith("\\x") else "\\x" + key.hex()
