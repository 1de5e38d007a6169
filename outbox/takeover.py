"""Taking all cursors out of the relays' hands, for as long as a transaction that makes them anew."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Waits for cursors that are being written, and keeps others from being.
_LOCK: Final = text("LOCK TABLE relay_cursors IN EXCLUSIVE MODE")

# Whoever leads notices at its next write of the cursor or renewal of the lease; until then it repeats a page at most.
_EVICT: Final = text(
    r"""
    UPDATE leases SET epoch = epoch + 1, expires_at = clock_timestamp(), holder = 'nobody'
    WHERE name ~ '^relay-\d+$'
    RETURNING CAST(substring(name FROM 7) AS integer), epoch
    """
)


async def take_over(session: AsyncSession) -> dict[int, int]:
    """Take every shard's cursor and lease away from whoever has them, when the transaction commits.

    Args:
        session: in a transaction of the caller's.

    Returns:
        By shard the epoch that its new cursor has to have: later than any relay's, earlier than the next one's.
    """
    await session.execute(_LOCK)
    return {row[0]: row[1] for row in await session.execute(_EVICT)}
