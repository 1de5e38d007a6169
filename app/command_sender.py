"""Carries the API's commands to Kafka, over a producer that connects as soon as a broker is there."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.sending import MaybeSentError, NotSentError
from app.broker import KafkaError
from db.waiting import jittered_seconds, wait_for
from outbox import producers

logger = logging.getLogger("squad.api")

_REFUSALS: Final = frozenset({"MessageSizeTooLargeError", "TopicAuthorizationFailedError", "InvalidTopicError"})
"""What a broker says of a record that it certainly did not take."""


class CommandSender:
    """Sends each command by itself, acknowledged by all replicas.

    The producer is not idempotent: such a one would try for ever, and a repeated record is one that consumers know.

    Args:
        topic: of the commands.
        client: arguments of a Kafka client.
        timeout_seconds: how long an acknowledgement may take, with the client's own attempts.
    """

    def __init__(self, *, topic: str, client: Mapping[str, Any], timeout_seconds: float) -> None:
        self._topic = topic
        self._client = dict(client) | {"acks": "all", "request_timeout_ms": max(1, round(timeout_seconds * 1000))}
        self._timeout_seconds = timeout_seconds
        self._producer: Any = None
        self._tried = asyncio.Event()
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Keep a producer until stopped; without one, nothing is sent."""
        waits = jittered_seconds(most_seconds=self._timeout_seconds)
        while not self._stopped.is_set() and not await self._connect_once():
            await wait_for(self._stopped, next(waits))
        try:
            await self._stopped.wait()
        finally:
            producer, self._producer = self._producer, None
            if producer is not None:
                await producers.give_up(producer)

    def stop(self) -> None:
        """Let `run` end; may be called again."""
        self._stopped.set()

    async def _connect_once(self) -> bool:
        """Try to connect, and tell whether it succeeded."""
        try:
            self._producer = await producers.start(self._client, timeout_seconds=self._timeout_seconds)
        except (KafkaError, OSError) as error:
            logger.warning("kafka unavailable error=%r", error)
        self._tried.set()
        return self._producer is not None

    async def send(self, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Send a command; the key's hash chooses the partition, as everywhere (murmur2).

        Raises:
            NotSentError: it did not leave.
            MaybeSentError: it may have.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        # Of a process that begins, the first requests wait for it; later ones are told at once.
        await wait_for(self._tried, self._timeout_seconds)
        if self._producer is None:
            raise NotSentError("no broker has been reached yet")
        try:
            # Until this returns, the record is in no batch; being cancelled meanwhile keeps it out.
            async with asyncio.timeout_at(deadline):
                delivery = await self._producer.send(self._topic, value, key=key, headers=list(headers))
        except TimeoutError:
            raise NotSentError(f"no answer within {self._timeout_seconds:g} s") from None
        except KafkaError as error:
            raise NotSentError(type(error).__name__) from error
        await asyncio.wait([delivery], timeout=max(0, deadline - asyncio.get_running_loop().time()))
        if not delivery.done():
            delivery.add_done_callback(_forget)
            raise MaybeSentError(f"no answer within {self._timeout_seconds:g} s")
        failure = delivery.exception()
        if failure is not None:
            name = type(failure).__name__
            raise (NotSentError(name) if name in _REFUSALS else MaybeSentError(name)) from failure


def _forget(delivery: asyncio.Future[Any]) -> None:
    """Take the result of what nobody waits for any more, so that it is not complained about."""
    if not delivery.cancelled():
        delivery.exception()
