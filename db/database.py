"""A PostgreSQL as one object: engines and session makers, with the timeouts that free a stopped process's locks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import URL, AsyncAdaptedQueuePool, Engine, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from db import addresses, deadlines, failover, hosts, pooling
from db.errors import UnreachableError
from db.one_task import OneTaskSession, give_up_open_connections
from db.tls import DatabaseTls


class PoolUse(NamedTuple):
    """How a pool of connections is used at a moment.

    Args:
        size: connections that it may have.
        in_use: that somebody has.
        waiting: who waits for one.
    """

    size: int
    in_use: int
    waiting: int


class Database:
    """Builds the engine and the sessions of one PostgreSQL; nothing connects before the first use.

    Args:
        url: `postgresql+asyncpg://…`; the synchronous side uses the same address through psycopg 3. With several
            addresses (`db.addresses`), the one is connected to that takes writes.
        application_name: what `pg_stat_activity` shows.
        pool_size: connections kept; none above are opened, so that a burst waits instead of exhausting the server.
        pool_timeout_seconds: how long a caller waits for a free connection.
        connect_timeout_seconds: how long opening a connection may take.
        statement_timeout_seconds, lock_timeout_seconds, idle_in_transaction_timeout_seconds: PostgreSQL's settings of
            those names.
        transaction_timeout_seconds: the same, of servers that have it, 17 and later; none: there is no limit.
        tcp_user_timeout_seconds: after how long without acknowledgement the server gives up an unplugged client, and we
            an unplugged server.
        connection_check_interval_seconds: how often the server looks, during a statement, whether its client is gone.
        answer_spare_seconds: how much longer than a statement may take its answer is waited for; then the connection is
            given up.
        random_page_cost: what the planner takes a random read to cost, beside a sequential one; PostgreSQL's own 4
            is that of a disk that turns, and makes it read whole tables where an index would do.
        tls: how it is spoken to.
        pooled: whether the address is a PgBouncer's in transaction mode (`db.pooling`). If not, a connection through a
            pooler is refused: it would not have the timeouts, and hide a crash of the server.
        replica: where `read_sessions` read; none: here. It is closed with this one.
        writes: whether of several addresses the server that takes writes is wanted, else better a standby.
        proxy_trusted: whether what answers in the server's name is not refused, as long as the timeouts are kept.
    """

    def __init__(
        self,
        *,
        url: str | URL,
        application_name: str = "agent-squad",
        pool_size: int = 10,
        pool_timeout_seconds: float = 30,
        connect_timeout_seconds: float = 10,
        statement_timeout_seconds: float = 30,
        lock_timeout_seconds: float = 5,
        idle_in_transaction_timeout_seconds: float = 30,
        transaction_timeout_seconds: float | None = None,
        tcp_user_timeout_seconds: float = 30,
        connection_check_interval_seconds: float = 5,
        answer_spare_seconds: float = 5,
        random_page_cost: float = 1.1,
        tls: DatabaseTls | None = None,
        pooled: bool = False,
        proxy_trusted: bool = False,
        writes: bool = True,
        replica: "Database | None" = None,
    ) -> None:
        self.url = addresses.with_default(make_url(url).set(drivername="postgresql+asyncpg"), writes=writes)
        self._writes = writes
        self._pool = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": pool_timeout_seconds}
        self._connect_timeout_seconds = connect_timeout_seconds
        self._tls = tls or DatabaseTls()
        self._pooled = pooled
        self._proxy_trusted = proxy_trusted
        self._replica = replica
        milliseconds = {
            "statement_timeout": statement_timeout_seconds,
            "lock_timeout": lock_timeout_seconds,
            "idle_in_transaction_session_timeout": idle_in_transaction_timeout_seconds,
            "tcp_user_timeout": tcp_user_timeout_seconds,
            "client_connection_check_interval": connection_check_interval_seconds,
        }
        self._server_settings = {name: str(round(seconds * 1000)) for name, seconds in milliseconds.items()}
        # Without them a server that waits for the rest of what we say, no matter with which locks, would not notice.
        self._server_settings |= deadlines.keepalive_settings(seconds=tcp_user_timeout_seconds)
        self._server_settings["application_name"] = application_name
        self._server_settings["random_page_cost"] = str(random_page_cost)
        self._tcp_user_timeout_seconds = tcp_user_timeout_seconds
        self._transaction_timeout_seconds = transaction_timeout_seconds
        self._answer_seconds = statement_timeout_seconds + answer_spare_seconds
        self.answer_spare_seconds = answer_spare_seconds

    @cached_property
    def engine(self) -> AsyncEngine:
        """The asynchronous engine, READ COMMITTED; `pool_pre_ping` stays off, it costs three round trips.

        Its errors and logs never tell parameters: they may be personal.
        """
        arguments: dict[str, Any] = {
            "timeout": self._connect_timeout_seconds,
            "command_timeout": self._answer_seconds,
            "ssl": self._tls.for_asyncpg(),
            "async_creator_fn": hosts.Hosts().connect,
        }
        if self._pooled:
            name = {"application_name": self._server_settings["application_name"]}
            arguments |= pooling.UNCACHED | {"server_settings": name}
        else:
            arguments["server_settings"] = self._server_settings
        engine = create_async_engine(
            self.url, isolation_level="READ COMMITTED", hide_parameters=True, connect_args=arguments, **self._pool
        )
        deadlines.watch_sockets(engine, seconds=self._tcp_user_timeout_seconds)
        give_up_open_connections(engine)
        failover.leave_read_only_servers(engine, writes=self._writes)
        if self._transaction_timeout_seconds is not None:
            deadlines.limit_transactions(engine, seconds=self._transaction_timeout_seconds, pooled=self._pooled)
        if self._pooled:
            pooling.set_for_each_transaction(engine, self._server_settings)
        else:
            pooling.refuse_poolers(engine, None if not self._proxy_trusted else self._server_settings)
        return engine

    @cached_property
    def sessions(self) -> async_sessionmaker[AsyncSession]:
        """Makes asynchronous sessions; the caller commits, leaving without a commit rolls back.

        Two tasks at once on one of them: the second gets `db.one_task.SharedSessionError`.
        """
        return self._make_sessions(self.engine)

    @cached_property
    def read_sessions(self) -> async_sessionmaker[AsyncSession]:
        """Makes sessions whose transactions PostgreSQL lets only read, on the replica if there is one."""
        source = self._replica or self
        return self._make_sessions(source.engine.execution_options(postgresql_readonly=True))

    @cached_property
    def sync_engine(self) -> Engine:
        """The synchronous engine, for scripts (needs the extra `sync`).

        Raises:
            db.pooling.PoolerError: there is none behind a pooler.
        """
        if self._pooled:
            raise pooling.PoolerError("synchronous sessions are not made for a pooler in transaction mode")
        options = " ".join(f"-c {name}={value}" for name, value in self._server_settings.items())
        arguments: dict[str, Any] = {"options": options, "connect_timeout": round(self._connect_timeout_seconds)}
        arguments |= deadlines.libpq_options(seconds=self._tcp_user_timeout_seconds) | self._tls.for_psycopg()
        url = self.url.set(drivername="postgresql+psycopg")
        return create_engine(url, connect_args=arguments, hide_parameters=True, **self._pool)

    @cached_property
    def sync_sessions(self) -> sessionmaker[Session]:
        """Makes synchronous sessions, with the same rules as `sessions`."""
        return sessionmaker(self.sync_engine, expire_on_commit=False)

    @property
    def pool_use(self) -> PoolUse:
        """How the asynchronous engine's pool is used; nothing connects."""
        size = int(self._pool["pool_size"])
        pool = self.engine.pool if "engine" in self.__dict__ else None
        if not isinstance(pool, AsyncAdaptedQueuePool):
            return PoolUse(size, 0, 0)
        # SQLAlchemy counts its connections, but not who waits for one.
        queue: Any = pool._pool
        waiting = sum(not each.done() for each in queue._queue._getters)
        return PoolUse(size, pool.checkedout(), waiting)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Give a session in a transaction that commits at the end and rolls back on an exception.

        Raises:
            db.errors.UnreachableError: there is no connection.
        """
        async with self.sessions() as session, session.begin():
            try:
                await session.connection()
            except Exception as error:
                raise UnreachableError(str(error)) from error
            yield session

    async def close(self) -> None:
        """Close every pooled connection; the object can be used again afterwards."""
        if self._replica is not None:
            await self._replica.close()
        if "engine" in self.__dict__:
            await self.engine.dispose()
        if "sync_engine" in self.__dict__:
            self.sync_engine.dispose()

    @staticmethod
    def _make_sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(
            engine, class_=AsyncSession, sync_session_class=OneTaskSession, expire_on_commit=False
        )
