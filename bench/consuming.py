"""Commands from the topic to committed rows: the guide's own pattern, our consumer, and the limit."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text

from app import wiring
from app.settings import Settings
from bench import guide, limit_sql, processors, report
from bench.draining import consume_to_end
from bench.ground import Ground, UnfitGroundError, fresh_database, reset_checkpoints
from db.database import Database

MOSTLY: Final = 0.99
"""Of the commands that are applied at least; a transfer to the owner who has it already is refused."""

TYPES: Final = text("SELECT type, outcome, count(*) FROM inbox GROUP BY type, outcome ORDER BY type, outcome")


async def run_ours(ground: Ground, *, lanes: int) -> dict[str, Any]:
    """Measure our consumer on a fresh database.

    Raises:
        UnfitGroundError: it refused what was to be applied.
    """
    async with fresh_database(ground) as copied:
        settings = copied.model_copy(update={"lanes": lanes})
        async with wiring.open_database(settings) as database:
            await reset_checkpoints(database, settings, ground.first_offsets)
            before = processors.spent_seconds()
            counts, phases, seconds = await consume_to_end(settings, database)
            after = processors.spent_seconds()
            types = await _count_types(database)
    if counts["applied"] < MOSTLY * ground.commands:
        raise UnfitGroundError(f"of {ground.commands} commands these became: {dict(counts)}")
    decided = counts["applied"] + sum(number for name, number in counts.items() if name.startswith("rejected"))
    return {
        "commands_per_second": decided / seconds,
        "counts": dict(counts),
        "types": types,
        "microseconds": {phase: each / decided * 1e6 for phase, each in phases.items()},
        "processor_microseconds": processors.microseconds_per(decided, before, after),
    }


async def _count_types(database: Database) -> dict[str, dict[str, int]]:
    """Give how many commands of each type had which outcome."""
    found: dict[str, dict[str, int]] = {}
    async with database.sessions() as session:
        for name, outcome, number in await session.execute(TYPES):
            found.setdefault(name, {})[outcome] = number
    return found


async def run_guide(ground: Ground, *, number: int) -> dict[str, Any]:
    """Measure the guide's own pattern: a session and transaction per command, the offset committed after each."""
    async with (
        fresh_database(ground) as settings,
        wiring.open_database(settings) as database,
        _reader(settings, group=settings.consumer_group) as (reader, partitions),
    ):
        _seek(reader, partitions, ground)
        await reader.getmany(*partitions, timeout_ms=2000, max_records=1)
        started = perf_counter()
        for _ in range(number):
            record = await reader.getone()
            await guide.apply(database.sessions, dict(record.headers)["ce_type"], json.loads(record.value))
            await reader.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
        seconds = perf_counter() - started
    return {"commands_per_second": number / seconds, "commands": number}


async def run_limit(ground: Ground) -> dict[str, Any]:
    """Measure the limit: the same rows by hand-made statements on bare asyncpg; nothing decided, no outcomes.

    Its batches are as large as ours.
    """
    async with fresh_database(ground) as settings:
        connection = await asyncpg.connect(report.bare_url(settings.database_url))
        async with _reader(settings) as (reader, partitions):
            _seek(reader, partitions, ground)
            await reader.getmany(*partitions, timeout_ms=2000, max_records=1)
            done, started = 1, perf_counter()
            while done < ground.commands:
                found = await reader.getmany(timeout_ms=200, max_records=settings.batch_max_commands)
                records = [record for some in found.values() for record in some]
                await limit_sql.apply(connection, records)
                done += len(records)
            seconds = perf_counter() - started
        await connection.close()
    return {"commands_per_second": done / seconds}


@asynccontextmanager
async def _reader(
    settings: Settings, group: str | None = None
) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    await reader.start()
    try:
        partitions = [TopicPartition(settings.topic("commands"), number) for number in range(settings.topic_partitions)]
        reader.assign(partitions)
        yield reader, partitions
    finally:
        await reader.stop()


def _seek(reader: AIOKafkaConsumer, partitions: list[TopicPartition], ground: Ground) -> None:
    for partition in partitions:
        reader.seek(partition, ground.first_offsets.get(partition.partition, 0))
