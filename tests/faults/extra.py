"""A producer of a test's own beside those of a scenario: what it sends, and where, is the test's to say."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import time
from typing import Any

from aiokafka import AIOKafkaProducer

from app import broker
from checker.history import Attempt, History
from domain.commands import Command
from messages.codec import encode_command
from tests.faults.scenario import Scenario
from tests.making import new_id


class ExtraProducer:
    """Keeps a history as the scenario's producers do; it has no load of its own, and nothing to send at the end.

    Args:
        client: the Kafka client's producer, started.
        topic: of the commands.
        source: CloudEvents `source` of its commands.
        history: of this producer.
    """

    def __init__(self, *, client: Any, topic: str, source: str, history: History) -> None:
        self.history = history
        self._client = client
        self._topic = topic
        self._source = source
        self._time = datetime.now(UTC)
        self._stopping = asyncio.Event()

    async def send(
        self,
        command: Command,
        *,
        command_id: str | None = None,
        partition: int | None = None,
        expected: str | None = None,
    ) -> tuple[int, "asyncio.Future[Any]"]:
        """Hand a command to the client.

        Args:
            command: what is asked for.
            command_id: a fresh one, if absent.
            partition: where a careless producer would put it; where its key belongs, if absent.
            expected: what should become of it, if the test can know.

        Returns:
            The attempt's number, and what becomes done when the broker has it.
        """
        command_id = command_id or new_id()
        key, value, headers = encode_command(command, command_id=command_id, source=self._source, time=self._time)
        number = self.history.invoke(
            kind="extra", source=self._source, id=command_id, key=key, expected=expected, intended_at=time()
        )
        return number, await self._client.send(self._topic, value, key=key, headers=headers, partition=partition)

    async def send_all(self, commands: Iterable[Command], **options: Any) -> None:
        """Send commands, and wait until the broker has them."""
        await self.acknowledge([await self.send(command, **options) for command in commands])

    async def acknowledge(self, sent: Iterable[tuple[int, "asyncio.Future[Any]"]]) -> None:
        """Wait until the broker has what was sent, and note where."""
        for number, future in sent:
            place = await future
            self.history.ok(number, place.partition, place.offset)

    async def send_in_transaction(self, commands: Iterable[Command], *, aborts: bool, open_seconds: float) -> None:
        """Send commands in a transaction that stays open for a while; what it aborts surely was not sent.

        Args:
            commands: what is asked for.
            aborts: whether it is taken back at the end.
            open_seconds: for how long it is open.
        """
        await self._client.begin_transaction()
        sent = [await self.send(command, expected=None if aborts else "applied") for command in commands]
        places = [(number, await future) for number, future in sent]
        await asyncio.sleep(open_seconds)
        if aborts:
            await self._client.abort_transaction()
        else:
            await self._client.commit_transaction()
        for number, place in places:
            if aborts:
                self.history.fail(number, "taken back")
            else:
                self.history.ok(number, place.partition, place.offset)

    # What a scenario asks of its producers

    async def register_users(self) -> None:
        """Has none of its own."""

    async def send_at(self, rate: float) -> None:
        """Sends what the test says, when it says so."""

    def stop(self) -> None:
        """Has nothing to stop."""

    async def settle(self) -> None:
        """Has sent all that it sent."""

    async def send_one_each(self) -> None:
        """Has no keys that others do not have."""

    def foreseen(self) -> list[Attempt]:
        """Give the history."""
        return self.history.attempts


@asynccontextmanager
async def extra_producer(run: Scenario, name: str, **client_arguments: Any) -> AsyncIterator[ExtraProducer]:
    """Give a producer whose history is judged with the others'.

    Args:
        run: the scenario.
        name: part of its CloudEvents `source`.
        client_arguments: for the Kafka client, besides what reaches the brokers.
    """
    client = AIOKafkaProducer(**broker.client_arguments(run.settings), acks="all", linger_ms=2, **client_arguments)
    await client.start()
    extra = ExtraProducer(
        client=client,
        topic=run.settings.topic("commands"),
        source=f"/tests/{name}",
        history=History(),
    )
    run.producers.append(extra)
    try:
        yield extra
    finally:
        await client.stop()
