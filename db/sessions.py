"""The guide's argument-free sessions, bound once by the wiring.

As in the guide, commit and rollback are the caller's. Leaving closes, however one leaves, and what was not committed is
rolled back by that. `docs/sessions.md` says it case by case.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from db.database import Database


class NotBoundError(RuntimeError):
    """Sessions were asked for before `sessions.bind(database)`."""

    def __init__(self) -> None:
        super().__init__("no database is bound: call db.sessions.bind(database) once, where the program is wired")


_bound: list[Database] = []


def bind(database: Database) -> None:
    """Say which database the functions of this module use; the last call counts."""
    _bound[:] = [database]


def unbind() -> None:
    """Forget the database."""
    _bound.clear()


def _database() -> Database:
    if not _bound:
        raise NotBoundError
    return _bound[0]


async def get_db() -> AsyncGenerator[AsyncSession, None]:
    """Give one session for a request, as a FastAPI dependency.

    Raises:
        NotBoundError: no database is bound.
    """
    async with get_db_context() as session:
        yield session


@asynccontextmanager
async def get_db_context() -> AsyncIterator[AsyncSession]:
    """Give one session for background work.

    Raises:
        NotBoundError: no database is bound.
    """
    async with _database().sessions() as session:
        yield session


async def get_read_db() -> AsyncGenerator[AsyncSession, None]:
    """Give one session that can only read, as a FastAPI dependency; it may be of a replica, which lags behind.

    Raises:
        NotBoundError: no database is bound.
    """
    async with get_read_db_context() as session:
        yield session


@asynccontextmanager
async def get_read_db_context() -> AsyncIterator[AsyncSession]:
    """Give one session that can only read, for background work; it may be of a replica, which lags behind.

    Raises:
        NotBoundError: no database is bound.
    """
    async with _database().read_sessions() as session:
        yield session


def get_sync_db() -> Generator[Session, None, None]:
    """Give one synchronous session for a request.

    Raises:
        NotBoundError: no database is bound.
    """
    with get_sync_db_context() as session:
        yield session


@contextmanager
def get_sync_db_context() -> Iterator[Session]:
    """Give one synchronous session for a script.

    Raises:
        NotBoundError: no database is bound.
    """
    with SyncSessionLocal() as session:
        yield session


def SyncSessionLocal() -> Session:  # noqa: N802 - the guide's name
    """Open a synchronous session; the caller closes it.

    Raises:
        NotBoundError: no database is bound.
    """
    return _database().sync_sessions()
