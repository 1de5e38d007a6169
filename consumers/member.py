"""One client's life as a member of the group, with the parts that read by it; when it is wedged, another begins."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final

from aiokafka import ConsumerRebalanceListener, TopicPartition

from consumers import kafka_client
from consumers.adoption import Adoption
from consumers.assignment import Assignment
from consumers.group_offsets import GroupOffsets
from consumers.polling import Polling
from consumers.records import Partition
from consumers.watchdog import Stall, Watchdog

logger = logging.getLogger("squad.source")

_LOOK_SECONDS: Final = 0.5


class Member:
    """One client, and what reads by it.

    Args:
        consumer: the client, not started yet.
        topic: of the commands.
        assignment: of the consumer; outlives the client.
        adoption, polling, offsets: what works with the client.
        stall_seconds: after how long without getting on the client is given up.
    """

    def __init__(
        self,
        *,
        consumer: Any,  # noqa: ANN401 - the client library is untyped
        topic: str,
        assignment: Assignment,
        adoption: Adoption,
        polling: Polling,
        offsets: GroupOffsets,
        stall_seconds: float,
    ) -> None:
        self.consumer = consumer
        self.polling = polling
        self.offsets = offsets
        self.trouble: str | None = None
        """What does not get on, if it is so for half of the time after which the client is given up."""
        self._topic = topic
        self._assignment = assignment
        self._adoption = adoption
        self._stall_seconds = stall_seconds
        self._listener = _Listener(assignment)
        self._watchdog = Watchdog(consumer=consumer, assignment=assignment, polling=polling, adoption=adoption)

    async def connect(self) -> None:
        """Connect, without joining the group.

        Raises:
            aiokafka.errors.KafkaError: no broker can be reached, or it refuses us.
        """
        await kafka_client.start(self.consumer)

    def join(self) -> None:
        """Have the client join the group; what it is assigned it reads from then on."""
        self.consumer.subscribe([self._topic], listener=self._listener)

    async def run(self, find_another: Callable[[Stall], Awaitable["Member | None"]]) -> "Member":
        """Adopt partitions, read ahead and commit the group's offsets, until the client is to be replaced.

        Args:
            find_another: called when the client stands still, again and again until it gives another that is connected.

        Returns:
            That one.
        """
        async with asyncio.TaskGroup() as tasks:
            readers = [
                tasks.create_task(self._adoption.run()),
                tasks.create_task(self.offsets.run()),
                *(tasks.create_task(self.polling.run(lane)) for lane in range(len(self._assignment.buffers))),
            ]
            while True:
                await asyncio.sleep(min(_LOOK_SECONDS, self._stall_seconds / 4))
                stall = self.look_once(readers)
                if stall is None or stall.seconds < self._stall_seconds:
                    continue
                another = await find_another(stall)
                if another is not None:
                    break
            for reader in readers:
                reader.cancel()
        return another

    def look_once(self, readers: Sequence[asyncio.Task[None]]) -> Stall | None:
        """See what does not get on, and show it in time."""
        stall = self._watchdog.look_once(readers)
        is_shown = stall is not None and (stall.seconds >= self._stall_seconds / 2 or self.polling.failing is not None)
        self.trouble = str(stall) if is_shown else None
        return stall

    async def close(self, *, seconds: float) -> None:
        """Leave the group and close the client, within a time; nothing that it still says is heard."""
        self._listener.is_heard = False
        await kafka_client.leave(self.consumer, seconds=seconds)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # the client library is untyped
    """Tells the assignment at once, without waiting for anything: the client swallows what a listener raises."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self.is_heard = True

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """The old assignment is gone."""
        if self.is_heard:
            self._assignment.revoke()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """A new assignment begins."""
        if not self.is_heard:
            return
        partitions = [Partition(each.topic, each.partition) for each in assigned]
        self._assignment.assign(partitions)
        logger.info("assigned %s", ", ".join(map(str, sorted(partitions))) or "no partitions")
