"""What operators asked of running processes: one row for each target, which processes read every few seconds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit

CONSUMER: Final = "consumer"
"""The target that is every partition of every consumer."""

RELAY: Final = "relay"
"""The target that is every shard; a shard's own is the name of its lease, such as `relay-0`."""

BREAKER: Final = "breaker"
"""The target that is every consumer's breaker."""

PAUSE: Final = "pause"
RESET: Final = "reset"

_LIST: Final = text("SELECT target, action, actor, reason, at FROM controls ORDER BY target")

_FIND: Final = text("SELECT target, action, actor, reason, at FROM controls WHERE target = :target FOR UPDATE")

_ASK: Final = text(
    """
    INSERT INTO controls (target, action, actor, reason, at)
    VALUES (:target, :action, :actor, :reason, clock_timestamp())
    ON CONFLICT (target) DO UPDATE
    SET action = excluded.action, actor = excluded.actor, reason = excluded.reason, at = excluded.at
    RETURNING target, action, actor, reason, at
    """
)

_REMOVE: Final = text("DELETE FROM controls WHERE target = :target")


class NotPausedError(Exception):
    """What is to be resumed is not paused; the message says what is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What an operator asked of a target.

    Args:
        target: `consumer`, `relay`, a shard's lease such as `relay-0`, a partition such as `squad.commands[3]`, or
            `breaker`.
        action: what is to be done.
        actor, reason, at: who asked, why and when.
    """

    target: str
    action: str
    actor: str
    reason: str
    at: datetime

    @property
    def why(self) -> str:
        """For whoever wonders about it, in one line."""
        return f"{self.target} paused by {self.actor} at {self.at.isoformat(timespec='seconds')}: {self.reason}"

    def describe(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {"action": self.action, "actor": self.actor, "reason": self.reason, "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Pauses:
    """What is paused, and why, by target."""

    whys: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def among(cls, controls: Iterable[Control]) -> "Pauses":
        """Take those that are pauses."""
        return cls({each.target: each.why for each in controls if each.action == PAUSE})

    def why(self, *targets: str) -> str | None:
        """Say why something is paused that any of these targets means; `None`: it is not."""
        return next((self.whys[each] for each in targets if each in self.whys), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an act changed of a target; `None` is that nothing was, or is, asked of it."""

    target: str
    before: Control | None
    after: Control | None

    def describe(self) -> dict[str, Any]:
        """Give what is printed."""
        return {
            "target": self.target,
            "before": None if self.before is None else self.before.describe(),
            "after": None if self.after is None else self.after.describe(),
        }


async def fetch_controls(session: AsyncSession) -> Sequence[Control]:
    """Give all that is asked for."""
    return [Control(**row._mapping) for row in await session.execute(_LIST)]


async def pause(session: AsyncSession, target: str, *, reason: str) -> Change:
    """Pause a target; one that is paused stays so, for the new reason.

    Args:
        session: in a transaction, which the caller commits.
        target: as in `Control`.
        reason: for the audit, and for whoever wonders later.
    """
    return await ask(session, target, PAUSE, reason=reason, audited_as=PAUSE)


async def resume(session: AsyncSession, target: str, *, reason: str) -> Change:
    """End a target's pause.

    Args:
        session: in a transaction, which the caller commits.
        target: as it was paused; a pause of all partitions cannot be ended for one.
        reason: for the audit.

    Raises:
        NotPausedError: it is not paused.
    """
    before = await _find(session, target)
    if before is None or before.action != PAUSE:
        others = sorted(Pauses.among(await fetch_controls(session)).whys)
        raise NotPausedError(f"{target} is not paused; what is: {', '.join(others) or 'nothing'}")
    await session.execute(_REMOVE, {"target": target})
    await audit.record(session, action="resume", target=target, reason=reason, before=before.describe())
    return Change(target=target, before=before, after=None)


async def ask(session: AsyncSession, target: str, action: str, *, reason: str, audited_as: str) -> Change:
    """Ask something of a target, in place of what was asked of it before.

    Args:
        session: in a transaction, which the caller commits.
        target, action: of the row.
        reason: for the audit.
        audited_as: how the audit calls it.
    """
    before = await _find(session, target)
    given = {"target": target, "action": action, "actor": audit.current_actor(), "reason": reason}
    after = Control(**(await session.execute(_ASK, given)).one()._mapping)
    await audit.record(
        session,
        action=audited_as,
        target=target,
        reason=reason,
        before=None if before is None else before.describe(),
        after=after.describe(),
    )
    return Change(target=target, before=before, after=after)


async def _find(session: AsyncSession, target: str) -> Control | None:
    row = (await session.execute(_FIND, {"target": target})).one_or_none()
    return None if row is None else Control(**row._mapping)
