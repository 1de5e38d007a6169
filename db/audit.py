"""What operators did: one row for each act, written in the transaction of the act itself."""

import getpass
import socket
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

_RECORD: Final = text(
    """
    INSERT INTO audit (at, actor, action, target, reason, before, after)
    VALUES (now(), :actor, :action, :target, :reason, :before, :after)
    """
).bindparams(bindparam("before", type_=JSONB(none_as_null=True)), bindparam("after", type_=JSONB(none_as_null=True)))


def current_actor() -> str:
    """Give who runs this process, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


async def record(
    session: AsyncSession | AsyncConnection,
    *,
    action: str,
    target: str,
    reason: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    actor: str | None = None,
) -> None:
    """Note an act; it is as durable as the transaction that it is part of.

    Args:
        session: in the transaction of the act.
        action: what was done, such as `checkpoints accept`.
        target: to what, such as `squad.commands[3]`.
        reason: why, in the operator's words; not empty.
        before, after: the state, as JSON has it.
        actor: who; by default whoever runs this process.

    Raises:
        ValueError: the reason is empty.
    """
    if not reason.strip():
        raise ValueError("an act needs a reason")
    await session.execute(
        _RECORD,
        {
            "actor": actor or current_actor(),
            "action": action,
            "target": target,
            "reason": reason,
            "before": None if before is None else dict(before),
            "after": None if after is None else dict(after),
        },
    )
