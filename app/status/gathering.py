"""Asks the tables and the brokers, both at once; brokers that do not answer leave the rest as it is."""

import asyncio
from collections.abc import Mapping
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app import topic_logs
from app.broker import KafkaError, TopicError
from app.settings import Settings
from app.status.picture import Gathered
from consumers import checkpoints
from consumers.records import Partition
from consumers.unsettled import fetch_unsettled
from db.controls import fetch_controls
from db.database import Database
from db.processes import FORGET_AFTER, fetch_live
from outbox.connection import own_connection
from outbox.status import fetch_status

_NOW: Final = text("SELECT now()")


async def gather(settings: Settings, database: Database, *, kafka_seconds: float) -> Gathered:
    """Ask for everything.

    Args:
        settings: of the service.
        database: of which one connection is needed.
        kafka_seconds: how long the brokers may take.

    Raises:
        SQLAlchemyError, OSError: the database did not tell.
    """
    asking = asyncio.create_task(_ask_kafka(settings, kafka_seconds))
    try:
        found = await _ask_database(settings, database)
    except BaseException:
        asking.cancel()
        await asyncio.wait([asking])
        raise
    ends, error = await asking
    return Gathered(
        **found,  # type: ignore[arg-type] # named as its fields
        group=settings.consumer_group,
        topic=settings.topic("commands"),
        log_ends=ends,
        kafka_error=error,
    )


async def _ask_database(settings: Settings, database: Database) -> dict[str, object]:
    async with database.sessions() as session:
        found = await _ask_tables(session, settings)
    async with own_connection(database) as alone:
        return found | {"shards": await fetch_status(alone), "unsettled": await fetch_unsettled(alone)}


async def _ask_tables(session: AsyncSession, settings: Settings) -> dict[str, object]:
    return {
        "at": await session.scalar(_NOW),
        "processes": await fetch_live(session, max_age_seconds=FORGET_AFTER.total_seconds()),
        "controls": await fetch_controls(session),
        "checkpoints": await checkpoints.load_topic(session, settings.consumer_group, settings.topic("commands")),
    }


async def _ask_kafka(settings: Settings, seconds: float) -> tuple[Mapping[Partition, int] | None, str | None]:
    topic = settings.topic("commands")
    try:
        async with asyncio.timeout(seconds):
            ranges = await topic_logs.log_ranges(settings, topic)
    except TimeoutError:
        return None, f"no answer within {seconds:g} s"
    except (KafkaError, TopicError, OSError) as error:
        return None, str(error) or type(error).__name__
    return {Partition(topic, number): end for number, (_, end) in ranges.items()}, None
