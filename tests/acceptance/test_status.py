"""`squad status` beside a running service: with Kafka, without, and again and again."""

import asyncio
import signal
import socket
from typing import Any

import pytest

from app.settings import Settings
from app.status.gathering import gather
from app.status.shown import describe
from db import controls
from db.database import Database
from tests.acceptance.conftest import Process, eventually, running, send
from tests.acceptance.test_consuming import decided
from tests.acceptance.test_undecodable import of_partition, send_damaged


async def status(settings: Settings, database: Database, *, kafka_seconds: float = 20) -> dict[str, Any]:
    return describe(await gather(settings, database, kafka_seconds=kafka_seconds))


def by_partition(shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["partition"].rpartition(".")[2]: each for each in shown["partitions"]}


@pytest.mark.real_kafka("topics whose partitions are chosen")
async def test_status_shows_what_runs_what_waits_and_why(service: Settings, database: Database) -> None:
    quick = service.model_copy(update={"controls_interval_seconds": 0.1, "heartbeat_interval_seconds": 0.2})
    unreachable = quick.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{closed_port()}"})
    for number in range(3):
        await send(service, of_partition(number, 5))
    with running(quick, "run") as process:
        await eventually("all are decided", lambda: decided(database, 15))
        async with database.transaction() as session:
            await controls.pause(session, f"{service.topic('commands')}[2]", reason="a test")

        async def is_paused() -> bool:
            return by_partition(await status(quick, database))["commands[2]"]["state"] == "paused"

        async def is_stopped() -> bool:
            return by_partition(await status(quick, database))["commands[1]"]["state"] == "stopped"

        await eventually("the pause is seen", is_paused)
        await send(service, of_partition(2, 3))
        await send_damaged(service, 1)
        await eventually("the damaged record is met", is_stopped)

        assert_all_is_shown(await status(quick, database))

        blind = await status(unreachable, database, kafka_seconds=1)
        assert blind["kafka"]["reachable"] is False
        assert "Kafka did not answer" in blind["attention"][0]
        assert [each["state"] for each in by_partition(blind).values()] == ["read", "stopped", "paused"]
        assert by_partition(blind)["commands[0]"]["lag"] == 0, "as the consumer said"

        assert "! Kafka did not answer" in await watch_twice(unreachable)
        await asyncio.to_thread(process.stop)


def assert_all_is_shown(shown: dict[str, Any]) -> None:
    """One process runs; of its partitions one is read, and the two that are stopped and paused want attention."""
    [process] = shown["processes"]
    assert (process["kind"], process["state"], process["leads"]) == ("all", "alive", [0])
    assert process["version"]
    partitions = by_partition(shown)
    assert [(each["state"], each["checkpoint"], each["lag"]) for each in partitions.values()] == [
        ("read", 5, 0),
        ("stopped", 5, 3),
        ("paused", 5, 3),
    ]
    assert "cannot be read" in partitions["commands[1]"]["why"]
    assert [bool(each["since"]) for each in partitions.values()] == [False, True, False]
    assert [(each["shard"], each["state"]) for each in shown["shards"]] == [(0, "led")]
    assert (shown["dead_letters"]["open"], shown["parked"]["streams"]) == ({}, 0)
    assert len(shown["attention"]) == 2


async def watch_twice(settings: Settings) -> str:
    """Let the verb show it until it was shown twice; give what it printed."""
    watching = ("status", "--watch", "--interval-seconds", "0.1", "--kafka-seconds", "0.1")
    with running(settings, *watching) as watcher:
        await eventually("it is shown again", lambda: looks(watcher, 2))
        watcher._process.send_signal(signal.SIGINT)
        code, printed = await asyncio.to_thread(watcher.finish)
    assert code == 130
    return printed


async def looks(watcher: Process, count: int) -> bool:
    return watcher.printed.count("open dead letters") >= count


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


async def test_status_cannot_be_shown_without_the_database(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": f"postgresql+asyncpg://squad@127.0.0.1:{closed_port()}/squad"})
    with running(away, "status") as process:
        code, printed = await asyncio.to_thread(process.finish)

    assert code == 3
    assert "cannot reach PostgreSQL" in printed
