"""Many rows by one statement beside one by one: members inserted, and what belongs to squads loaded."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import delete, event, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from bench.claiming.tables import id_of
from bench.ground import UnfitGroundError
from db.database import Database
from db.models import Squad, SquadMember
from db.queries.squads import get_squads_with_members_and_projects

Insert = Callable[[AsyncSession, list[dict[str, Any]]], Awaitable[None]]


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Give the statements that are sent meanwhile; one that is sent for many rows in turn counts once."""
    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        found.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def insert_at_once(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Insert all by one statement."""
    await session.execute(insert(SquadMember).values(rows))


async def insert_as_list(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Insert all by one statement that is prepared once and run for each row, without waiting in between."""
    await session.execute(insert(SquadMember), rows)


async def insert_one_by_one(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Insert each by an INSERT and a flush of its own."""
    for row in rows:
        session.add(SquadMember(**row))
        await session.flush()


INSERTS: Final[Mapping[str, Insert]] = {
    "one statement": insert_at_once,
    "a list of rows": insert_as_list,
    "one by one": insert_one_by_one,
}


async def measure_inserts(database: Database, *, members: int) -> dict[str, dict[str, float]]:
    """Insert as many members of roles each way, committed once; give rows a second, and statements."""
    found = {}
    for name, way in INSERTS.items():
        rows = [_member_of_role(f"role-{number}", id_of(0)) for number in range(members)]
        with counted(database) as statements:
            began = perf_counter()
            async with database.sessions() as session:
                await way(session, rows)
                await session.commit()
            seconds = perf_counter() - began
        found[name] = {"rows_per_second": members / seconds, "statements": len(statements)}
        async with database.transaction() as session:
            await session.execute(delete(SquadMember).where(SquadMember.role.startswith("role-")))
    return found


def _member_of_role(role: str, squad_id: UUID) -> dict[str, Any]:
    return {"id": uuid4(), "squad_id": squad_id, "role": role, "created_at": datetime.now(UTC)}


async def load_eagerly(session: AsyncSession, squads: int) -> int:
    """Load squads with members and projects as our read does; give how many rows there were."""
    page = await get_squads_with_members_and_projects(session, per_page=squads)
    return sum(1 + len(squad.members) + len(squad.projects) for squad in page.items)


async def load_lazily(session: AsyncSession, squads: int) -> int:
    """Load the same, members and projects of each squad when they are looked at."""

    def look(synchronous: Session) -> int:
        found = synchronous.scalars(select(Squad).order_by(Squad.id).limit(squads))
        return sum(1 + len(squad.members) + len(squad.projects) for squad in found)

    return await session.run_sync(look)


async def measure_loads(database: Database, *, squads: int, times: int) -> dict[str, dict[str, float]]:
    """Load as many squads both ways; give milliseconds and statements of one load, and how many rows it gave.

    Raises:
        UnfitGroundError: the two ways gave different numbers of rows.
    """
    found = {}
    for name, load in (("eager", load_eagerly), ("lazy", load_lazily)):
        rows = 0
        with counted(database) as statements:
            began = perf_counter()
            for _ in range(times):
                async with database.sessions() as session:
                    rows += await load(session, squads)
            seconds = perf_counter() - began
        found[name] = {
            "milliseconds": seconds / times * 1e3,
            "statements": len(statements) / times,
            "rows": rows / times,
        }
    if found["eager"]["rows"] != found["lazy"]["rows"]:
        raise UnfitGroundError(f"eager and lazy loading do not give the same: {found}")
    return found
