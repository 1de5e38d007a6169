"""What operators did."""

import pytest
from sqlalchemy import select

from db import audit
from db.database import Database
from db.models import AuditEntry


async def test_an_act_is_noted_with_its_actor_reason_and_state(database: Database) -> None:
    async with database.transaction() as session:
        await audit.record(
            session,
            action="holds release",
            target="squad.events",
            reason="fixed",
            before={"held": 3},
            after={"held": 0},
        )
    async with database.sessions() as session:
        entry = (await session.scalars(select(AuditEntry))).one()
    assert (entry.action, entry.target, entry.reason) == ("holds release", "squad.events", "fixed")
    assert (entry.before, entry.after) == ({"held": 3}, {"held": 0})
    assert entry.actor == audit.current_actor()
    assert "@" in entry.actor


async def test_an_act_that_is_rolled_back_leaves_no_note(database: Database) -> None:
    async with database.sessions() as session:
        await audit.record(session, action="x", target="y", reason="z")
        await session.rollback()
    async with database.sessions() as session:
        assert (await session.scalars(select(AuditEntry))).all() == []


async def test_an_act_without_a_reason_is_refused(database: Database) -> None:
    async with database.transaction() as session:
        with pytest.raises(ValueError, match="reason"):
            await audit.record(session, action="x", target="y", reason=" ")
