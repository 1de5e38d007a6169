"""A network that swallows answers: whoever waits for one is free again in time, and what was locked is too."""

import asyncio
import socket
from time import monotonic

import pytest
from sqlalchemy import text

from db import deadlines
from db.database import Database
from db.errors import Failure, classify
from tests.faults.framing import Direction
from tests.faults.proxying import before_postgres
from tests.faults.rules import Hole, Rule

STATEMENT_SECONDS = 0.2
SPARE_SECONDS = 0.2
UNPLUGGED_SECONDS = 21


def build(url: str) -> Database:
    return Database(
        url=url,
        pool_size=1,
        statement_timeout_seconds=STATEMENT_SECONDS,
        answer_spare_seconds=SPARE_SECONDS,
        idle_in_transaction_timeout_seconds=0.3,
        tcp_user_timeout_seconds=UNPLUGGED_SECONDS,
    )


@pytest.mark.parametrize(
    ("swallows", "statement"),
    [
        (["request"], b"SELECT 41"),
        (["answer"], b"SELECT 41"),
        (["answer"], b"COMMIT;"),
        (["request", "answer"], b"COMMIT;"),
    ],
)
async def test_answer_that_never_comes_is_a_transient_failure_in_time(
    database_url: str, swallows: list[Direction], statement: bytes
) -> None:
    async with before_postgres(database_url) as (proxy, url):
        database = build(url)
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
        hole = Rule(when=lambda message: statement in message.raw, action=Hole(swallows=swallows))
        proxy.add(hole)
        began = monotonic()
        with pytest.raises(Exception) as failure:  # noqa: PT011 - which one is the matter of `classify`
            async with asyncio.timeout(20), database.transaction() as session:
                await session.execute(text("SELECT 41"))
        assert hole.happened.is_set()
        assert classify(failure.value) is Failure.TRANSIENT
        # Closing in order is tried for 2 s. Without a deadline of our own, 20 s.
        assert monotonic() - began < 10

        async with asyncio.timeout(10), database.transaction() as session:
            assert await session.scalar(text("SELECT 1")) == 1
        await database.close()


@pytest.mark.parametrize("part", [b"DO $$", b"pg_catalog.version()"])
async def test_silence_while_connecting_is_a_transient_failure_in_time(database_url: str, part: bytes) -> None:
    async with before_postgres(database_url) as (proxy, url):
        database = build(url)
        proxy.add(Rule(when=lambda message: part in message.raw, action=Hole(swallows=["answer"])))
        began = monotonic()
        with pytest.raises(Exception) as failure:  # noqa: PT011 - which one is the matter of `classify`
            async with asyncio.timeout(20), database.transaction() as session:
                await session.execute(text("SELECT 1"))
        assert classify(failure.value) is Failure.TRANSIENT
        assert monotonic() - began < 10
        async with asyncio.timeout(10), database.transaction() as session:
            assert await session.scalar(text("SELECT 1")) == 1
        await database.close()


async def test_slow_statement_that_is_allowed_to_be_slow_is_waited_for(database_url: str) -> None:
    database = build(database_url)
    async with database.transaction() as session:
        await session.execute(text("SET LOCAL statement_timeout = 0"))
        await deadlines.allow(await session.connection(), seconds=20)
        await session.execute(text("SELECT pg_sleep(0.6)"))
    await database.close()


async def test_tcp_is_asked_whether_the_server_is_still_there(database_url: str) -> None:
    database = build(database_url)
    async with database.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        found = driver._transport.get_extra_info("socket")
        wanted = {
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): 7,
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): 7,
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): 2,
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT): UNPLUGGED_SECONDS * 1000,
        }
        assert {place: found.getsockopt(*place) for place in wanted} == wanted
    await database.close()
