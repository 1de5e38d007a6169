"""Compares this service's topics with its database."""

from datetime import UTC, datetime, timedelta

from app import broker, wiring
from app.settings import Settings
from checker.agreement import Difference, find_differences
from outbox.days import first_position


async def compare(settings: Settings, *, since: datetime, timeout_seconds: float) -> list[Difference]:
    """Give the events and outcomes that only the topics have, or only the outbox.

    Args:
        settings: where both are.
        since: what was recorded before does not count.
        timeout_seconds: how long reading the topics may take.

    Raises:
        checker.topics.UnfinishedReadError: it took longer.
    """
    async with wiring.open_database(settings, pool_size=1) as database:
        return await find_differences(
            database.engine,
            broker.client_arguments(settings),
            [settings.topic("events"), settings.topic("outcomes"), *settings.reply_topics],
            since=since,
            # The sequence jumps soon after midnight, not at it.
            first_position=first_position((since.astimezone(UTC) - timedelta(days=1)).date()),
            timeout_seconds=timeout_seconds,
        )
