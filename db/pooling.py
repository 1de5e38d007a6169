"""PgBouncer in transaction mode before the database: what a connection must not do then, and what finds one out.

Behind it each transaction may run on another connection of the server. So statements are not kept (they are unnamed,
and prepared and run within one transaction), nothing is set for the connection, and autocommit, where preparing and
running are two transactions, is refused. PgBouncer refuses the parameters of a connection's start too; so the timeouts
that free a stopped process's locks are set at the beginning of each transaction, for that transaction.
"""

from collections.abc import Mapping
from typing import Any, Final

from asyncpg import InterfaceError, InternalClientError, PostgresError
from sqlalchemy import Connection, bindparam, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.errors import Failure, UnreachableError, classify

UNCACHED: Final = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}
"""For the driver: every statement is the unnamed one, which nobody has to remove from a connection met only once."""

PER_TRANSACTION: Final = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
"""The settings that mean the same within one transaction; those about the client's socket are PgBouncer's to make."""

_SET: Final = text(
    "SELECT " + ", ".join(f"set_config('{name}', :{name}, true)" for name in PER_TRANSACTION)
).bindparams(*(bindparam(name) for name in PER_TRANSACTION))

_STATE: Final = "SQ001"


class PoolerError(RuntimeError):
    """What is asked for cannot be had behind a pooler."""


def set_for_each_transaction(engine: AsyncEngine, settings: Mapping[str, str]) -> None:
    """Begin each transaction of an engine with the timeouts among these settings, and refuse autocommit."""
    values = {name: settings[name] for name in PER_TRANSACTION}

    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        if driver.autocommit:
            raise PoolerError("autocommit is not possible behind a pooler in transaction mode")
        connection.execute(_SET, values)

    event.listen(engine.sync_engine, "begin", begin)


def refuse_poolers(engine: AsyncEngine, kept: Mapping[str, str] | None = None) -> None:
    """Let every new connection of an engine find out whether it ends at the server itself.

    PostgreSQL tells a new connection its backend's pid, for cancelling; a pooler tells a number of its own, because it
    has not chosen a backend yet. Asked by the simple protocol, which prepares nothing: it works through anything.

    Args:
        engine: of connections that are to be the server's own.
        kept: a proxy that answers for the server is trusted if it has these settings' timeouts; none: it is refused.
    """
    if kept is None:
        stranger, said = "pg_backend_pid() <> {pid}", "a connection pooler stands between us and PostgreSQL"
    else:
        lost = (f"current_setting('{name}')::interval <> '{kept[name]}ms'::interval" for name in PER_TRANSACTION)
        stranger, said = " OR ".join(lost), "the trusted proxy before PostgreSQL does not keep our timeouts"

    async def check(driver: Any) -> None:  # noqa: ANN401 - the driver is untyped
        condition = stranger.format(pid=int(driver.get_server_pid()))
        try:
            await driver.execute(
                f"DO $$ BEGIN IF {condition} THEN"
                f" RAISE EXCEPTION USING ERRCODE = '{_STATE}', MESSAGE = 'pooled'; END IF; END $$"
            )
        except (PostgresError, InterfaceError, InternalClientError) as error:
            driver.terminate()
            if getattr(error, "sqlstate", None) == _STATE:
                raise PoolerError(said) from None
            # SQLAlchemy does not translate what happens here.
            if classify(error) is Failure.TRANSIENT:
                raise UnreachableError(str(error)) from error
            raise

    def connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        connection.run_async(check)

    # First of all: what SQLAlchemy itself asks a new connection is prepared.
    event.listen(engine.sync_engine, "connect", connect, insert=True)
