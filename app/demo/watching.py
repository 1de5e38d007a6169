"""How far the service has come with what was sent: waits that end when it has, or when it does not move any more."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Final

from sqlalchemy import func, select

from app import broker
from app.demo.processes import DemoError, Processes
from app.settings import Settings
from checker.topics import count_records
from db.database import Database
from db.models import Checkpoint, Lease, OutboxRow

POLL_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 60.0
"""How long nothing may move before the demo gives up."""


class Watch:
    """Looks at checkpoints, outbox and topics.

    Args:
        settings: of the run.
        database: of the run.
        processes: of the run, which must not end meanwhile.
        on_decided: told how many records were decided.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        processes: Processes,
        on_decided: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._database = database
        self._processes = processes
        self._on_decided = on_decided

    async def until_ready(self) -> None:
        """Wait until the consumer has every partition and the relay its lease.

        Raises:
            DemoError: they do not come up, or ended.
        """
        await self._until_none(self._unready, "parts to come up")

    async def look(self) -> dict[int, int]:
        """Tell how many records were decided; gives, by partition, the offset after the last of them.

        Raises:
            DemoError: a process ended.
        """
        self._processes.check()
        checkpoints = await self._checkpoints()
        self._on_decided(sum(checkpoints.values()))
        return checkpoints

    async def until_decided(self, ends: Mapping[int, int]) -> None:
        """Wait until the checkpoints stand behind these records.

        Args:
            ends: by partition, the offset after its last record.

        Raises:
            DemoError: nothing was decided for long, or a process ended.
        """

        async def undecided() -> int:
            checkpoints = await self.look()
            return sum(max(0, end - checkpoints.get(partition, 0)) for partition, end in ends.items())

        await self._until_none(undecided, "records to decide")

    async def until_published(self) -> None:
        """Wait until the topics have as many records as the outbox has rows; the checker says whether the right ones.

        Raises:
            DemoError: nothing was published for long, or a process ended.
        """
        await self._until_none(self._unpublished, "messages to publish")

    async def _until_none(self, count_left: Callable[[], Awaitable[int]], what: str) -> None:
        least, since = math.inf, monotonic()
        while left := await count_left():
            if left < least:
                least, since = left, monotonic()
            elif monotonic() - since > PATIENCE_SECONDS:
                raise DemoError(
                    f"nothing moved for {PATIENCE_SECONDS:g} s, {left} {what} left\n{self._processes.log_tails()}"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _unready(self) -> int:
        self._processes.check()
        async with self._database.sessions() as session:
            leases = await session.scalar(select(func.count()).select_from(Lease)) or 0
        missing = self._settings.topic_partitions - len(await self._checkpoints())
        return missing + (leases == 0)

    async def _checkpoints(self) -> dict[int, int]:
        statement = select(Checkpoint.partition, Checkpoint.next_offset).where(
            Checkpoint.consumer_group == self._settings.consumer_group,
            Checkpoint.topic == self._settings.topic("commands"),
        )
        async with self._database.sessions() as session:
            return {row.partition: row.next_offset for row in await session.execute(statement)}

    async def _unpublished(self) -> int:
        self._processes.check()
        statement = select(OutboxRow.topic, func.count()).group_by(OutboxRow.topic)
        async with self._database.sessions() as session:
            rows = {row[0]: row[1] for row in await session.execute(statement)}
        records = await count_records(broker.client_arguments(self._settings), list(rows))
        return sum(max(0, count - records[topic]) for topic, count in rows.items())
