"""What runs, as each process last described itself: status and health checks read this from any machine."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

FORGET_AFTER: Final = timedelta(hours=1)
"""Rows of processes that were killed are removed by the next one that describes itself."""

_DESCRIBE: Final = text(
    """
    INSERT INTO processes (id, kind, host, pid, started_at, heartbeat_at, state)
    VALUES (:id, :kind, :host, :pid, now(), now(), :state)
    ON CONFLICT (id) DO UPDATE SET heartbeat_at = now(), state = EXCLUDED.state
    """
).bindparams(bindparam("state", type_=JSONB))

_FORGET: Final = text("DELETE FROM processes WHERE id = :id OR heartbeat_at < now() - CAST(:forget_after AS interval)")

_AGE: Final = text(
    "SELECT extract(epoch FROM now() - max(heartbeat_at)) FROM processes WHERE kind = :kind AND host = :host"
)

_LIVE: Final = text(
    """
    SELECT kind, host, pid, started_at, extract(epoch FROM now() - heartbeat_at) AS age_seconds, state
    FROM processes
    WHERE heartbeat_at > now() - make_interval(secs => :max_age_seconds)
    ORDER BY kind, host, pid
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A process, as it last described itself."""

    kind: str
    host: str
    pid: int
    started_at: datetime
    age_seconds: float
    state: dict[str, Any]


class ProcessRow:
    """This process in the table.

    Args:
        kind: consumer, relay or all.
    """

    def __init__(self, *, kind: str) -> None:
        self.id: UUID = uuid4()
        self._kind = kind

    async def describe(self, session: AsyncSession, state: dict[str, Any]) -> None:
        """Say that we live, and how."""
        who = {"id": self.id, "kind": self._kind, "host": socket.gethostname(), "pid": os.getpid()}
        await session.execute(_DESCRIBE, who | {"state": state})

    async def forget(self, session: AsyncSession) -> None:
        """Remove this process's row, and those of processes long gone."""
        await session.execute(_FORGET, {"id": self.id, "forget_after": FORGET_AFTER})


async def fetch_live(session: AsyncSession, *, max_age_seconds: float) -> list[Described]:
    """Give the processes that described themselves lately."""
    rows = await session.execute(_LIVE, {"max_age_seconds": max_age_seconds})
    return [
        Described(
            kind=row.kind,
            host=row.host,
            pid=row.pid,
            started_at=row.started_at,
            age_seconds=float(row.age_seconds),
            state=row.state,
        )
        for row in rows
    ]


async def heartbeat_age_seconds(session: AsyncSession, kind: str) -> float | None:
    """Give the seconds since a process of this kind on this host last described itself; `None`: never."""
    age = await session.scalar(_AGE, {"kind": kind, "host": socket.gethostname()})
    return None if age is None else float(age)
