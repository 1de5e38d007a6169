"""Several relay processes with several shards, one of them killed: all is published, in order for each key."""

from app.settings import Settings
from checker.topics import count_records, read_topics
from db.database import Database
from outbox.shards import reshard
from tests.acceptance.conftest import eventually, running
from tests.relaying import fetch_rows, write_rows

KEYS = [f"key-{number}" for number in range(30)]


async def test_relay_processes_share_shards_and_take_over_those_of_a_killed_one(
    service: Settings, database: Database
) -> None:
    quick = service.model_copy(
        update={"lease_seconds": 2.0, "lease_renew_seconds": 0.2, "heartbeat_interval_seconds": 0.5}
    )
    topic, client = service.topic("events"), {"bootstrap_servers": service.kafka_bootstrap_servers}
    async with database.transaction() as session:
        await reshard(session, count=4, reason="a test wants it")

    async def holders() -> list[str]:
        query = "SELECT holder FROM leases WHERE name LIKE 'relay-%' AND expires_at > now()"
        return [row.holder.rpartition(":")[0] for row in await fetch_rows(database, query)]

    async def shared() -> bool:
        held = await holders()
        return len(held) == 4 and sorted(held.count(each) for each in set(held)) == [2, 2]

    async def alone() -> bool:
        held = await holders()
        return len(held) == 4 and len(set(held)) == 1

    async def published(count: int) -> bool:
        return (await count_records(client, [topic]))[topic] >= count

    with running(quick, "relay", "run") as first, running(quick, "relay", "run") as second:
        await eventually("each process leads two shards", shared)
        for key in KEYS:
            await write_rows(database, key, range(1, 51), topic=topic)
        first.kill()
        for key in KEYS:
            await write_rows(database, key, range(51, 101), topic=topic)
        await eventually("everything is published", lambda: published(3000))
        await eventually("one process leads all", alone)
        code, _ = second.stop()

    assert code == 0
    records = (await read_topics(client, [topic]))[topic].records
    for key in KEYS:
        numbers = [int(record.header("ce_sequence") or 0) for record in records if record.key == key.encode()]
        assert list(dict.fromkeys(numbers)) == list(range(1, 101))
    assert len(records) <= 3000 + 2 * quick.relay_page_max_rows
