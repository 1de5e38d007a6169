"""The producers of a scenario: commands at a steady rate, whatever the service does, with a history of each."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import time
from typing import Any, Final, Protocol

from app import broker
from app.demo.sending import Sender
from app.demo.workload import Planned, Workload
from app.settings import Settings
from checker.history import Attempt, History, Status

RETRY_SECONDS: Final = 0.2


class Sends(Protocol):
    """What a scenario asks of whoever sends commands to it."""

    history: History

    async def register_users(self) -> None: ...
    async def send_at(self, rate: float) -> None: ...
    def stop(self) -> None: ...
    async def settle(self) -> None: ...
    async def send_one_each(self) -> None: ...
    def foreseen(self) -> list[Attempt]: ...


class Producer:
    """One producer, with users and squads that only it writes to, so that it foresees what becomes of each command.

    Args:
        client: the Kafka client's producer, started.
        topic: of the commands.
        history: of this producer.
        workload: plans what is sent.
    """

    def __init__(self, *, client: Any, topic: str, history: History, workload: Workload) -> None:
        self._client = client
        self._topic = topic
        self._sender = Sender(producer=client, topic=topic, history=history)
        self._workload = workload
        self._planned: dict[int, Planned] = {}
        self._stopping = asyncio.Event()
        self._last_words: int | None = None
        self.history = history

    async def register_users(self) -> None:
        """Send the users, and wait until the broker has them."""
        await self._send_all(self._workload.users())

    async def send_at(self, rate: float) -> None:
        """Send commands at their times, late ones at once, until stopped; whatever was planned is sent.

        Args:
            rate: commands per second.
        """
        self._stopping.clear()
        due = time()
        while not self._stopping.is_set():
            due += 1 / rate
            await asyncio.sleep(due - time())
            (planned,) = self._workload.more(1)
            await self._send(planned, due)

    def stop(self) -> None:
        """Let `send_at` end with the command it is at."""
        self._stopping.set()

    async def know_partitions(self) -> None:
        """Ask which partitions there are now, instead of after minutes."""
        await self._client.client.force_metadata_update()

    async def send_one_each(self) -> None:
        """Send a command for every key, each of which must be applied, and wait until the broker has them."""
        self._last_words = len(self.history.attempts)
        await self._send_all(self._workload.one_each())

    async def settle(self) -> None:
        """Send again what may or may not have arrived, as a producer does, until the broker has it."""
        await self._client.flush()
        known = {each.id for each in self.history.attempts if each.status is Status.OK}
        for attempt in [each for each in self.history.attempts if each.status is not Status.OK]:
            if attempt.id is None or attempt.id not in known:
                await self._send(self._planned[attempt.number], time())
        await self._client.flush()

    def foreseen(self) -> list[Attempt]:
        """Give the history, without what it expected while it had lost track: commands may have come late, or twice.

        What `send_one_each` sends does not depend on that.
        """
        attempts = self.history.attempts
        lost = next((each.number for each in attempts if each.status is not Status.OK), len(attempts))
        for attempt in attempts[lost : self._last_words]:
            attempt.expected = None
        return attempts

    async def _send_all(self, planned: Sequence[Planned]) -> None:
        for each in planned:
            await self._send(each, time())
        await self._client.flush()

    async def _send(self, planned: Planned, intended_at: float) -> None:
        """Hand a command to the client, again and again if need be: the next of its key must not overtake it."""
        while True:
            self._planned[len(self.history.attempts)] = planned
            try:
                await self._sender.send(planned, intended_at=intended_at)
            except Exception:  # noqa: BLE001 - in the history; whatever it was, a producer tries again
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return


@asynccontextmanager
async def open_producer(
    settings: Settings, *, name: str, seed: int, users: int, hot_share: float, history: History
) -> AsyncIterator[Producer]:
    """Give a producer, whose client is closed at the end.

    Args:
        settings: where its commands go.
        name: part of its CloudEvents `source`.
        seed: of what it sends.
        users: how many it has.
        hot_share: of what happens in squads, how much happens in the first few.
        history: of this producer.
    """
    workload = Workload(
        count=users * 10, seed=seed, source=f"/tests/{name}", time=datetime.now(UTC), hot_share=hot_share
    )
    async with broker.open_producer(settings) as client:
        yield Producer(client=client, topic=settings.topic("commands"), history=history, workload=workload)
