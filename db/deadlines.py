"""How long an answer of the database is waited for: what frees us where packets, or a middleman, swallow it.

PostgreSQL's own timeouts end a statement there, but their message may never arrive, and nothing then tells a client
that waits to read. So the client has a deadline of its own behind the server's, and TCP is asked to find out whether
the other side is still there.
"""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_PROBES: Final = 3
"""So often TCP asks a silent server within its time limit."""

_SET_TIMEOUT: Final = text("SELECT set_config('statement_timeout', :milliseconds, false)")
_RESET_TIMEOUT: Final = text("RESET statement_timeout")


def watch_sockets(engine: AsyncEngine, *, seconds: float) -> None:
    """Let TCP end new connections of an engine whose server does not acknowledge, or answer probes, for so long."""

    def connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        found: socket.socket | None = connection.driver_connection._transport.get_extra_info("socket")
        if found is not None and found.family in {socket.AF_INET, socket.AF_INET6}:
            for level, option, value in _socket_options(seconds):
                found.setsockopt(level, option, value)

    event.listen(engine.sync_engine, "connect", connect)


def keepalive_settings(*, seconds: float) -> dict[str, str]:
    """Ask the server to find out whether we are still there (PostgreSQL documentation, 19.3.2).

    It ends what it was idle in by itself. But in the middle of a statement's messages it is not idle for it, and with
    nothing to send only probes tell it that nobody is there any more.
    """
    between = str(max(1, round(seconds / _PROBES)))
    return {
        "tcp_keepalives_idle": between,
        "tcp_keepalives_interval": between,
        "tcp_keepalives_count": str(_PROBES - 1),
    }


def libpq_options(*, seconds: float) -> dict[str, object]:
    """Ask libpq for what `watch_sockets` does (PostgreSQL documentation, 33.1.2)."""
    between = max(1, round(seconds / _PROBES))
    return {
        "keepalives_idle": between,
        "keepalives_interval": between,
        "keepalives_count": _PROBES - 1,
        "tcp_user_timeout": round(seconds * 1000),
    }


@asynccontextmanager
async def more_time(
    connection: AsyncConnection, *, statement_seconds: float, spare_seconds: float
) -> AsyncIterator[None]:
    """Let statements in the block take longer, here and on the server.

    After an error nothing is set back: whoever has a connection of their own disconnects then.

    Args:
        connection: in autocommit.
        statement_seconds: how long a statement may take.
        spare_seconds: how much longer its answer is waited for.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    usual = driver._config
    await connection.execute(_SET_TIMEOUT, {"milliseconds": str(round(statement_seconds * 1000))})
    driver._config = usual._replace(command_timeout=statement_seconds + spare_seconds)
    yield
    driver._config = usual
    await connection.execute(_RESET_TIMEOUT)


def limit_transactions(engine: AsyncEngine, *, seconds: float, pooled: bool) -> None:
    """Let servers that can, PostgreSQL 17 and later, end each transaction of an engine after so long.

    A client that stops between preparing a statement and running it keeps its locks otherwise: the server waits for the
    rest, which is neither a statement nor idleness, so that no other timeout counts.

    Args:
        engine: whose transactions.
        seconds: how long.
        pooled: whether a connection is another's after each transaction, so that the limit is set for each.
    """
    limit = (
        f"SELECT set_config('transaction_timeout', '{round(seconds * 1000)}', {str(pooled).lower()})"
        " WHERE CAST(current_setting('server_version_num') AS integer) >= 170000"
    )

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(limit)

    def connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        connection.run_async(lambda driver: driver.execute(limit))

    if pooled:
        event.listen(engine.sync_engine, "begin", begin)
    else:
        event.listen(engine.sync_engine, "connect", connect)


async def allow(connection: AsyncConnection, *, seconds: float | None) -> None:
    """Let answers on this connection take longer than on others, for as long as it is open.

    Args:
        connection: whose statements may take so long on the server too.
        seconds: how long; `None`: for ever.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    # The driver has a deadline for each statement, but SQLAlchemy no way to name it.
    driver._config = driver._config._replace(command_timeout=seconds)


def _socket_options(seconds: float) -> Iterator[tuple[int, int, int]]:
    """Give level, name and value of each option; which there are depends on the system (tcp(7))."""
    between = max(1, round(seconds / _PROBES))
    yield socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
    for name, value in (
        ("TCP_KEEPIDLE", between),
        ("TCP_KEEPINTVL", between),
        ("TCP_KEEPCNT", _PROBES - 1),
        ("TCP_USER_TIMEOUT", round(seconds * 1000)),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            yield socket.IPPROTO_TCP, option, value
