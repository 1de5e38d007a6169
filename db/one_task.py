"""A session belongs to one task at a time; a second one is refused, lest its statements fall among those of the first.

Neither SQLAlchemy nor the driver says so clearly, and a COMMIT that comes between does harm: the driver refuses it,
SQLAlchemy holds the transaction to be over, and the connection goes back to the pool in the middle of it, where it
fails whoever gets it next.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session

_GUARDED: Final = ("execute", "scalar", "scalars", "flush", "connection", "begin_nested", "commit", "rollback")
"""What speaks to the database, or lets others of these do it."""


class SharedSessionError(RuntimeError):
    """Two tasks used one session at once; the second was refused, and the first goes on undisturbed."""

    def __init__(self, first: str, second: str, what: str) -> None:
        super().__init__(
            f"task {second!r} may not {what} on this session while task {first!r} is in the middle of something on it:"
            " give each task a session of its own"
        )


class OneTaskSession(Session):
    """What an `AsyncSession` works through. One task after another may use it, as a fixture and its test do."""

    _busy: asyncio.Task[Any] | None = None

    def close(self) -> None:
        """Close it; while another task is in the middle of something, by giving up the connection."""
        if self._busy in {None, asyncio.current_task()}:
            super().close()
        else:
            self.invalidate()

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        me = asyncio.current_task()
        if self._busy is not None:
            if self._busy is not me:
                raise SharedSessionError(self._busy.get_name(), me.get_name() if me else "none", what)
            yield
            return
        self._busy = me
        try:
            yield
        finally:
            self._busy = None


def _guard(name: str) -> None:
    method = getattr(Session, name)

    def guarded(self: OneTaskSession, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as the method has them
        with self._alone(name):
            return method(self, *arguments, **named)

    setattr(OneTaskSession, name, guarded)


for _name in _GUARDED:
    _guard(_name)


@event.listens_for(OneTaskSession, "before_commit")
def _refuse_to_commit(session: OneTaskSession) -> None:
    """Leaving a block of `session.begin()` commits too, by another way."""
    with session._alone("commit"):
        pass


def give_up_open_connections(engine: AsyncEngine) -> None:
    """Let no connection of an engine go back to its pool in the middle of a transaction; it is closed instead."""

    def checkin(connection: Any, record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        driver = None if connection is None else connection.driver_connection
        if driver is not None and not driver.is_closed() and driver.is_in_transaction():
            record.invalidate()

    event.listen(engine.sync_engine, "checkin", checkin)
