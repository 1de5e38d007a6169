"""`squad doctor` on real servers: all is well, or nobody answers."""

import asyncio
import json
import os

import pytest

from app.doctor.finding import Verdict
from app.settings import Settings, variable
from db.database import Database
from db.processes import ProcessRow
from stack.ports import find_free_port
from tests.acceptance.conftest import eventually, running, send
from tests.acceptance.doctor.finding import findings, topic_of
from tests.inside import process_inside
from tests.making import new_id, register_user


async def begun(settings: Settings) -> bool:
    """Whether a consumer has begun every partition and a relay leads."""
    found = await findings(settings)
    return "checkpoint 0" in found and "partitions-added" not in found and "lease of shard 0" in found


async def test_everything_is_checked_and_a_service_that_runs_is_well(service: Settings, database: Database) -> None:
    await send(service, [register_user(new_id())])
    async with process_inside(service, "all"):
        async with database.transaction() as session:
            await ProcessRow(kind="all").describe(session, {})
        await eventually("all partitions are read", lambda: begun(service))
        found = await findings(service)

    wrong = {name: each.found for name, each in found.items() if each.verdict is not Verdict.OK}
    assert wrong.keys() <= {"kafka"}, "a mock is all that may be said"
    assert found["consumers"].found.endswith(f"pid {os.getpid()}")


def test_the_command_prints_json_and_fails_when_a_check_does(settings: Settings) -> None:
    with running(settings, "doctor", "--json") as doctor:
        code, printed = doctor.finish()

    found = {each["name"]: each for each in map(json.loads, printed.splitlines())}
    assert code == 1
    assert found["postgres-version"]["verdict"] == "ok"
    assert "squad topics create" in found[topic_of(settings, "commands")]["advice"]
    assert found["local-stack"]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("field", "address", "failing", "still_made"),
    [
        ("database_url", "postgresql+asyncpg://squad@127.0.0.1:{port}/squad", "postgres", "kafka"),
        ("kafka_bootstrap_servers", "127.0.0.1:{port}", "kafka", "migrations"),
    ],
)
async def test_who_is_away_fails_and_the_other_is_examined(
    settings: Settings, field: str, address: str, failing: str, still_made: str
) -> None:
    away = settings.model_copy(update={field: address.format(port=find_free_port())})

    found = await findings(away)

    assert found[failing].verdict is Verdict.FAIL
    assert variable(field) in found[failing].advice
    assert still_made in found


async def test_who_says_nothing_is_given_up_in_time(settings: Settings) -> None:
    held = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()
        await writer.wait_closed()

    silent = await asyncio.start_server(hold, "127.0.0.1", 0)
    address = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    update = {"database_url": f"postgresql+asyncpg://squad@{address}/x", "kafka_bootstrap_servers": address}

    async with asyncio.timeout(5):
        found = await findings(settings.model_copy(update=update), timeout_seconds=0.5)

    held.set()
    silent.close()
    await silent.wait_closed()
    await asyncio.sleep(0)
    assert {name: each.found for name, each in found.items() if name != "local-stack"} == {
        "postgres": "no answer within 0.5 s",
        "kafka": "no answer within 0.5 s",
    }
