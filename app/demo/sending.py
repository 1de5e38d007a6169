"""A producer that writes down what it sends and what it learns of it."""

import asyncio
from collections.abc import Sequence
from functools import partial
from time import time
from typing import Any, Protocol

from app.demo.workload import Planned
from checker.history import History


class Producer(Protocol):
    """What the sender needs of the Kafka client: `send` gives a future of the record's place."""

    async def send(
        self, topic: str, value: bytes, *, key: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[Any]: ...
    async def flush(self) -> None: ...


class Sender:
    """Sends what was planned and keeps its history.

    Args:
        producer: of the Kafka client, started.
        topic: of the commands.
        history: is told of every attempt.
    """

    def __init__(self, *, producer: Producer, topic: str, history: History) -> None:
        self._producer = producer
        self._topic = topic
        self.history = history
        self.acknowledged = 0

    async def send(self, planned: Planned, *, intended_at: float | None = None) -> None:
        """Hand a record to the client, which waits only when it has too many.

        Args:
            planned: what to send.
            intended_at: when it was meant to leave, seconds since 1970; now, if absent.
        """
        number = self.history.invoke(
            kind=planned.kind,
            source=planned.source,
            id=planned.id,
            key=planned.key,
            expected=planned.expected,
            intended_at=time() if intended_at is None else intended_at,
        )
        try:
            future = await self._producer.send(self._topic, planned.value, key=planned.key, headers=planned.headers)
        except Exception as error:
            self.history.unknown(number, repr(error))
            raise
        future.add_done_callback(partial(self._note, number))

    async def flush(self) -> None:
        """Wait until the broker answered for everything."""
        await self._producer.flush()

    def _note(self, number: int, future: asyncio.Future[Any]) -> None:
        """Write down a record's end; whatever went wrong, the broker may have it all the same."""
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is not None:
            self.history.unknown(number, repr(error))
            return
        place = future.result()
        self.acknowledged += 1
        self.history.ok(number, place.partition, place.offset)
