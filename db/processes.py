"""What runs, as each process last described itself: status and health checks read this from any machine."""

import os
import socket
from datetime import timedelta
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


async def heartbeat_age_seconds(session: AsyncSession, kind: str) -> float | None:
    """Give the seconds since a process of this kind on this host last described itself; `None`: never."""
    age = await session.scalar(_AGE, {"kind": kind, "host": socket.gethostname()})
    return None if age is None else float(age)
