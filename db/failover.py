"""A server that takes no writes any more: all our connections to it are given up, as they would never work again."""

from typing import Any, Final
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from db.commits import Committing
from db.errors import sqlstate

READ_ONLY: Final = "25006"
"""`read_only_sql_transaction`: the server is a standby, or has been told to take no writes."""


def leave_read_only_servers(engine: AsyncEngine, *, writes: bool) -> None:
    """Let an engine give up every connection to a server that takes no writes any more, also those that are in use.

    They are still good as connections: the pool would lend them for ever, and whoever only reads on one, as a relay
    does while nothing is new there, would never learn that all others have gone to the server that took over. Signs of
    that are a write that is refused, and that a new connection was led to another address than those before it.

    Args:
        engine: of one PostgreSQL.
        writes: whether its connections are to take writes; a session that is to read only is no sign of anything.
    """
    if not writes:
        return
    opened: WeakSet[Committing] = WeakSet()

    def connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        found = connection.driver_connection
        _end([each for each in opened if each.address != found.address])
        opened.add(found)

    def handle(context: ExceptionContext) -> None:
        connection = context.connection
        if sqlstate(context.original_exception) != READ_ONLY or connection is None:
            return
        if connection.get_execution_options().get("postgresql_readonly"):
            return
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = True
        refusing: Any = connection.connection.driver_connection
        _end([each for each in opened if each.address == refusing.address])

    event.listen(engine.sync_engine, "connect", connect)
    event.listen(engine.sync_engine, "handle_error", handle)


def _end(connections: list[Committing]) -> None:
    for each in connections:
        each.terminate()
