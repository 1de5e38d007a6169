"""The guide's claims are reported whatever comes out, and both sides of each do the same."""

import asyncio
import random
from collections import Counter
from time import sleep

import pytest

from bench import claims
from bench.claiming import lag, reads
from db.database import Database


def one_round(asynchronous=50.0, synchronous=100.0):
    delays = {"asynchronous": {"p50": 1.0, "p99": 4.0}, "synchronous": {"p50": 10.0, "p99": 2.0}}
    return {
        "reads_per_second": {
            "asynchronous": asynchronous,
            "synchronous": synchronous,
            "asynchronous, one at a time": 25.0,
        },
        "delay_milliseconds": {"reads": delays, "slow reads": delays},
        "inserts": {
            "one statement": {"rows_per_second": 900.0, "statements": 1},
            "a list of rows": {"rows_per_second": 600.0, "statements": 1},
            "one by one": {"rows_per_second": 300.0, "statements": 20},
        },
        "loads": {
            "eager": {"milliseconds": 5.0, "statements": 3.0, "rows": 8},
            "lazy": {"milliseconds": 50.0, "statements": 21.0, "rows": 8},
        },
    }


def test_a_claim_that_does_not_hold_is_told_like_one_that_does():
    rows = claims.rows({"rounds": [one_round(), one_round(asynchronous=150.0), one_round(asynchronous=80.0)]})

    assert [(row.median, row.worst) for row in rows[:2]] == [("0.80 x", "0.50 x"), ("0.25 x", "0.25 x")]
    assert [row.median for row in rows[2:6]] == ["0.10 x", "2.00 x", "0.10 x", "2.00 x"]
    assert [row.median for row in rows[6:]] == ["3.00 x", "2.00 x", "0.10 x"]
    assert {row.met for row in rows} == {None}


def test_statements_are_told():
    shown = claims.details({"rounds": [one_round()]})

    assert "| 1 | 1 | 20 | 3 | 21 |" in shown


async def test_a_loop_that_stands_still_delays_every_turn_that_falls_due_meanwhile():
    async def stand_still(over):
        while not over.is_set():
            sleep(0.05)  # noqa: ASYNC251 - as a synchronous query does
            await asyncio.sleep(0)

    found = await lag.during([stand_still], seconds=0.2)

    assert 5 < found["p50"] <= found["p99"]


def test_every_read_comes_as_often_as_another():
    planned = reads.plan(random.Random(1), 42, squads=10)

    assert set(Counter(read.__code__ for read in planned).values()) == {3}


def test_a_read_that_waits_is_not_taken_for_a_synchronous_one():
    async def wait(session):
        await asyncio.sleep(0)

    database = Database(url="postgresql+asyncpg://nobody@localhost:1/nothing")

    with pytest.raises(reads.WaitedError):
        reads.read_synchronously(database, wait)
