"""Topics and outbox compared: what a restore took away, and what somebody left out, is told, and nothing else."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from app import comparing
from app.settings import Settings
from db.database import Database
from outbox.publisher import KafkaPublisher
from tests.acceptance.conftest import running
from tests.relaying import execute, leading_relay, write_rows

SINCE = datetime.now(UTC) - timedelta(minutes=1)


async def differences(settings: Settings) -> list[tuple[str, str]]:
    """Say which keys' messages only one side has."""
    found = await comparing.compare(settings, since=SINCE, timeout_seconds=30)
    return [(each.only, each.key) for each in found]


async def publish(settings: Settings, database: Database) -> None:
    publisher = KafkaPublisher(client={"bootstrap_servers": settings.kafka_bootstrap_servers})
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
    await publisher.close()


async def recorded_now(database: Database, settings: Settings, key: str) -> None:
    await write_rows(database, key, [1], topic=settings.topic("events"))
    await execute(database, f"UPDATE outbox SET recorded_at = now() WHERE key = '{key}'")


pytestmark = pytest.mark.real_kafka("looking records up by their times")


async def test_what_only_one_of_them_has_is_told(service: Settings, database: Database) -> None:
    for key in ("kept", "lost", "old"):
        await recorded_now(database, service, key)
    await execute(database, "UPDATE outbox SET recorded_at = now() - interval '1 hour' WHERE key = 'old'")
    await publish(service, database)
    await recorded_now(database, service, "waiting")
    assert await differences(service) == []

    # As a restore from before them leaves it.
    await execute(database, "DELETE FROM outbox WHERE key IN ('lost', 'old')")
    assert await differences(service) == [("topic", "lost")]

    # As a rebase from now on leaves it.
    await execute(database, "UPDATE relay_cursors SET previous = pg_current_snapshot()")
    assert await differences(service) == [("topic", "lost"), ("outbox", "waiting")]

    with running(service, "topics", "compare", "--since", SINCE.isoformat(), "--json") as process:
        code, printed = process.finish()
    assert code == 1
    assert [json.loads(line)["only"] for line in printed.splitlines()] == ["topic", "outbox"]


@pytest.mark.parametrize(
    "left_out",
    [
        "INSERT INTO held (position, topic, key, slot, reason) SELECT position, topic, key, slot, 'so' FROM outbox",
        """
        INSERT INTO audit (at, actor, action, target, reason)
        SELECT now(), 'a', 'relay skipped', 'outbox/' || position, 'so' FROM outbox
        """,
    ],
    ids=["held", "left out"],
)
async def test_what_is_held_or_left_out_is_no_difference(service: Settings, database: Database, left_out: str) -> None:
    await recorded_now(database, service, "a")
    await execute(database, "UPDATE relay_cursors SET previous = pg_current_snapshot()")
    assert await differences(service) == [("outbox", "a")]

    await execute(database, left_out)

    assert await differences(service) == []
