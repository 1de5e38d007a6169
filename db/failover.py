"""A server that takes no writes any more: all its connections are given up, because they would never work again."""

from typing import Final

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from db.errors import sqlstate

READ_ONLY: Final = "25006"
"""`read_only_sql_transaction`: the server is a standby, or has been told to take no writes."""


def leave_read_only_servers(engine: AsyncEngine) -> None:
    """Let an engine whose server refuses a write close this connection and every other of its pool.

    They are still good as connections, so that the pool would lend them for ever; what is opened next finds the server
    that does take writes. A session that is to read only is no sign of anything.
    """

    def handle(context: ExceptionContext) -> None:
        error, connection = context.original_exception, context.connection
        if sqlstate(error) != READ_ONLY:
            return
        if connection is not None and connection.get_execution_options().get("postgresql_readonly"):
            return
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = True

    event.listen(engine.sync_engine, "handle_error", handle)
