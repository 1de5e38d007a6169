"""What the relay writes down of rows that were committed and are not on their topics."""

from sqlalchemy.ext.asyncio import AsyncConnection

from db import audit
from outbox.refused import DIVERTED, SKIPPED, Refused
from outbox.settling import Settled


async def record_settled(connection: AsyncConnection, settled: Settled) -> None:
    """Write down the rows of a page that nobody publishes any more.

    Args:
        connection: in the transaction that says that the page is done.
        settled: what became of the page.
    """
    for action, rows in ((DIVERTED, settled.diverted), (SKIPPED, settled.skipped)):
        for each in rows:
            await _record(connection, action, each)


async def _record(connection: AsyncConnection, action: str, refused: Refused) -> None:
    record = refused.record
    await audit.record(
        connection,
        action=action,
        target=f"outbox/{record.position}",
        reason=refused.reason,
        before={"topic": record.topic, "key": None if record.key is None else record.key.decode(errors="replace")},
    )
