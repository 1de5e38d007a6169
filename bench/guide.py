"""The guide's own pattern for one command: a session and a transaction; what peers run is this very code."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.models import Squad, SquadMember, Task, User


async def apply(sessions: async_sessionmaker[AsyncSession], kind: bytes, data: dict[str, Any]) -> None:
    """Do what the guide's functions do: load, check, change, commit.

    Args:
        sessions: makes a session for this command.
        kind: the command's type.
        data: its data.
    """
    async with sessions() as session:
        match kind:
            case b"squad.create.v1":
                owner = await session.scalar(select(User).where(User.id == UUID(data["user_id"])))
                if owner is not None and owner.is_active:
                    squad = Squad(
                        id=UUID(data["squad_id"]),
                        user_id=owner.id,
                        name=data["name"],
                        status="active",
                        created_at=owner.created_at,
                        version=1,
                    )
                    session.add(squad)
                    await session.flush()
                    session.add_all(
                        SquadMember(id=uuid4(), squad_id=squad.id, role=role, created_at=owner.created_at)
                        for role in data.get("roles", ())
                    )
            case b"squad.transfer-ownership.v1":
                found = await session.scalar(select(Squad).where(Squad.id == UUID(data["squad_id"])))
                owner = await session.scalar(select(User).where(User.id == UUID(data["new_owner_id"])))
                if found is not None and owner is not None and owner.is_active:
                    found.user_id = owner.id
            case b"squad.complete-task.v1":
                task = await session.scalar(select(Task).where(Task.id == UUID(data["task_id"])))
                if task is not None:
                    task.status = "completed"
        await session.commit()
