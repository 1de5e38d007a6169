"""Two PostgreSQL servers, of which one at a time takes writes: found when it does, and left when it does no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from app.doctor.finding import Verdict
from app.doctor.hosts import check_hosts
from app.settings import Settings
from db.database import Database
from db.errors import Failure, UnreachableError, classify, sqlstate
from migrations import run as migrations
from outbox.lease import Lease
from outbox.partitions import Partitions
from outbox.relay import Relay
from stack.local_stack import LocalStack
from tests.faults.servers import start_own
from tests.faults.standby import administer, follow
from tests.relaying import RecordingPublisher, write_rows

RELOAD = "SELECT pg_reload_conf()"
PORT = text("SELECT current_setting('port')")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A primary and its standby."""

    primary: LocalStack
    standby: LocalStack

    def url(self, *, first: LocalStack | None = None, query: str = "") -> str:
        """Give the address of both, the standby's first."""
        begin = first or self.standby
        others = [each for each in (self.primary, self.standby) if each is not begin]
        urls = [make_url(each.database_url) for each in (begin, *others)]
        hosts = "&".join(f"host={each.host}:{each.port}" for each in urls)
        return f"postgresql+asyncpg://{urls[0].username}@/{urls[0].database}?{hosts}{query}"


def port_of(server: LocalStack) -> str:
    return str(make_url(server.database_url).port)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair() -> AsyncIterator[Pair]:
    both = [start_own("embedded", postgres_settings={"fsync": "off"}) for _ in range(2)]
    primary, standby = await asyncio.gather(*(each.__aenter__() for each in both))
    try:
        await administer(primary.database_url, "CREATE TABLE noted (number integer)")
        await asyncio.to_thread(migrations.upgrade, primary.database_url)
        async with opened(primary.database_url) as database:
            await Partitions(database=database).maintain_once()
        await asyncio.to_thread(follow, primary, standby)
        yield Pair(primary=primary, standby=standby)
    finally:
        await asyncio.gather(*(each.__aexit__(None, None, None) for each in both))


@asynccontextmanager
async def opened(url: str, **arguments: float) -> AsyncIterator[Database]:
    database = Database(url=url, **arguments)  # type: ignore[arg-type] # seconds and counts
    try:
        yield database
    finally:
        await database.close()


async def port_at(database: Database) -> str:
    async with database.sessions() as session:
        return str(await session.scalar(PORT))


def sync_port_at(database: Database) -> str:
    with database.sync_sessions() as session:
        return str(session.scalar(PORT))


async def note(database: Database, number: int) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO noted VALUES (:number)"), {"number": number})


async def note_for_ever(database: Database) -> None:
    async with asyncio.timeout(20):
        while True:
            await note(database, 1)


async def test_server_that_takes_writes_is_found_behind_a_standby(pair: Pair) -> None:
    async with opened(pair.url()) as database:
        assert await port_at(database) == port_of(pair.primary)
        assert await asyncio.to_thread(sync_port_at, database) == port_of(pair.primary)


async def test_replica_is_found_behind_the_primary_and_the_primary_serves_where_there_is_none(pair: Pair) -> None:
    async with opened(pair.url(first=pair.primary), writes=False) as database:
        assert await port_at(database) == port_of(pair.standby)
    alone = f"{pair.primary.database_url}&target_session_attrs=prefer-standby".replace("&", "?", 1)
    async with opened(alone) as database:
        assert await port_at(database) == port_of(pair.primary)


async def test_address_that_swallows_packets_does_not_keep_the_next_from_being_tried_and_is_tried_last_then(
    pair: Pair,
) -> None:
    swallowed: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: swallowed.append(writer), "127.0.0.1", 0) as hole:
        port = hole.sockets[0].getsockname()[1]
        url = make_url(pair.primary.database_url)
        both = f"postgresql+asyncpg://{url.username}@/{url.database}?host=127.0.0.1:{port}&host=127.0.0.1:{url.port}"
        async with opened(both, connect_timeout_seconds=0.5) as database:
            for _ in range(3):
                assert await port_at(database) == port_of(pair.primary)
                await database.engine.dispose()
        assert len(swallowed) <= 2, "with TLS and without, and once"
        for each in swallowed:
            each.close()


async def test_while_no_server_takes_writes_callers_are_to_wait(pair: Pair) -> None:
    url = make_url(pair.standby.database_url)
    gone = f"postgresql+asyncpg://{url.username}@/{url.database}?host=127.0.0.1:1&host=127.0.0.1:{url.port}"
    async with opened(gone) as database:
        with pytest.raises(
            UnreachableError, match=rf"127.0.0.1:1: .*; 127.0.0.1:{url.port}: None of the hosts"
        ) as found:
            await port_at(database)
    assert classify(found.value) is Failure.TRANSIENT


async def test_doctor_says_what_each_address_leads_to(pair: Pair) -> None:
    (finding,) = [each async for each in check_hosts(Settings(database_url=pair.url()))]
    assert finding.verdict is Verdict.OK
    assert f"{port_of(pair.primary)}: takes writes" in finding.found
    assert f"{port_of(pair.standby)}: a standby" in finding.found
    assert [each async for each in check_hosts(Settings(database_url=pair.primary.database_url))] == []


async def test_commit_that_is_told_not_to_wait_for_its_standby_is_unknown(pair: Pair) -> None:
    """The server says that it is committed, with no more than a warning that it may be nowhere else."""
    missing = "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
    await administer(pair.primary.database_url, missing, RELOAD)
    cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    try:
        async with opened(pair.url()) as database, asyncio.timeout(20):
            # The server may not have read its settings yet.
            writing = asyncio.create_task(note_for_ever(database))
            while not writing.done():
                await administer(pair.primary.database_url, cancel)
            with pytest.raises(DBAPIError) as unknown:
                await writing
        assert (sqlstate(unknown.value), classify(unknown.value)) == ("08007", Failure.TRANSIENT)
    finally:
        await administer(pair.primary.database_url, "ALTER SYSTEM RESET synchronous_standby_names", RELOAD)


async def test_sessions_that_only_read_are_no_sign_of_a_failover(pair: Pair) -> None:
    async with opened(pair.url(), pool_size=1) as database:
        backend = text("SELECT pg_backend_pid()")
        async with database.sessions() as session:
            before = await session.scalar(backend)
        async with database.read_sessions() as session:
            with pytest.raises(DBAPIError) as refused:
                await session.execute(text("INSERT INTO noted VALUES (2)"))
        assert (sqlstate(refused.value), refused.value.connection_invalidated) == ("25006", False)
        async with database.sessions() as session:
            assert await session.scalar(backend) == before


async def test_all_connections_leave_a_server_that_has_become_read_only_for_the_one_that_took_over(pair: Pair) -> None:
    """The relay, whose connection only reads while nothing is new, learns of it by its lease."""
    publisher = RecordingPublisher()
    async with opened(pair.url(), pool_size=3) as database, opened(pair.url(), pool_size=3) as relays:
        lease = Lease(database=relays, name="relay-0", ttl_seconds=1, renew_seconds=0.2)
        relay = Relay(database=relays, publisher=publisher, lease=lease, backoff_most_seconds=0.05)
        relaying = asyncio.create_task(relay.run())
        await write_rows(database, "a", [1])
        await publisher.wait_until(lambda records: len(records) == 1)
        assert await all_ports(database) == {port_of(pair.primary)}
        in_use = await relays.engine.connect()
        driver = (await in_use.get_raw_connection()).driver_connection
        assert driver is not None
        read_only = "ALTER SYSTEM SET default_transaction_read_only = on"
        await administer(pair.primary.database_url, read_only, RELOAD)
        assert await administer(pair.standby.database_url, "SELECT pg_promote(true, 30)") is True
        with pytest.raises(DBAPIError) as refused:
            await note_for_ever(database)
        assert (sqlstate(refused.value), classify(refused.value)) == ("25006", Failure.TRANSIENT)

        await note(database, 4)
        assert await all_ports(database) == {port_of(pair.standby)}
        await write_rows(database, "a", [2])
        # The cursor may not have come over before the promotion; then the first is repeated.
        await publisher.wait_until(lambda records: len({each.position for each in records}) == 2)
        assert driver.is_closed(), "also what somebody uses leaves, though it never wrote"
        await in_use.invalidate()
        await in_use.close()
        relay.stop()
        await relaying
    (finding,) = [each async for each in check_hosts(Settings(database_url=pair.url()))]
    assert finding.verdict is Verdict.OK

    await administer(pair.primary.database_url, "ALTER SYSTEM RESET default_transaction_read_only", RELOAD)
    async with asyncio.timeout(20):
        while [each.verdict async for each in check_hosts(Settings(database_url=pair.url()))] != [Verdict.FAIL]:
            pass


async def all_ports(database: Database) -> set[str]:
    """Give the servers of as many connections as the pool has."""
    async with database.sessions() as first, database.sessions() as second, database.sessions() as third:
        return {str(await session.scalar(PORT)) for session in (first, second, third)}
