"""One client's life as a member of the group, with the parts that read by it; when it is wedged, another begins."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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

_LOOKS: Final = 2
"""So often in a row a stall is seen before the client is given up."""


class Member:
    """One client, and what reads by it.

    Args:
        consumer: the client, not started yet.
        topic: of the commands.
        assignment: of the consumer; outlives the client.
        adoption, polling, offsets: what works with the client.
        finish: waits for batches under way when partitions are taken away; the group waits with it, so not for long.
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
        finish: Callable[[], Awaitable[None]],
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
        self._partitions = 0
        self._listener = _Listener(consumer, assignment, finish)
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

    async def run(
        self, find_another: Callable[[Stall], Awaitable["Member | None"]], note_getting_on: Callable[[], None]
    ) -> "Member":
        """Adopt partitions, read ahead and commit the group's offsets, until the client is to be replaced.

        Args:
            find_another: called when the client stands still, again and again until it gives another that is connected.
            note_getting_on: called whenever the client was looked at and nothing is wrong with it.

        Returns:
            That one.
        """
        async with asyncio.TaskGroup() as tasks:
            readers = [
                tasks.create_task(self._adoption.run()),
                tasks.create_task(self.offsets.run()),
                *(tasks.create_task(self.polling.run(lane)) for lane in range(len(self._assignment.buffers))),
            ]
            stands = 0
            while True:
                await asyncio.sleep(min(_LOOK_SECONDS, self._stall_seconds / 4))
                self._notice_growth()
                stall = self.look_once(readers)
                if self.trouble is None and self._assignment.is_dealt:
                    note_getting_on()
                stands = stands + 1 if stall is not None and stall.seconds >= self._stall_seconds else 0
                # A process that was frozen sees it the first time that it looks again.
                if stall is None or stands < _LOOKS:
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
        is_shown = stall is not None and (stall.seconds >= self._stall_seconds / 2 or bool(self.polling.failing))
        self.trouble = str(stall) if is_shown else None
        return stall

    def _notice_growth(self) -> None:
        """Join again when partitions were added, where nobody else would see to it.

        That is the task of the group's leader; but a static member that leads and was started again is not told that
        it does. A member that joins again as it is disturbs nobody, and the leader brings a rebalance about.
        """
        coordinator, count = self.consumer._coordinator, len(self.consumer.partitions_for_topic(self._topic) or ())
        if self._assignment.is_dealt and count > self._partitions:
            if self._partitions and coordinator._group_instance_id is not None:
                logger.info("%s has %d partitions now; joining again", self._topic, count)
                coordinator.request_rejoin()
            self._partitions = count

    @property
    def lags(self) -> Mapping[Partition, int]:
        """How many offsets of each partition that is read are in no batch yet, as far as the broker has told."""
        found = {}
        for partition, position in self._assignment.positions.items():
            handle = TopicPartition(*partition)
            end = self.consumer.highwater(handle) if handle in self.consumer.assignment() else None
            if end is not None:
                found[partition] = max(0, end - position)
        return found

    async def close(self, *, seconds: float) -> None:
        """Leave the group and close the client, within a time; nothing that it still says is heard."""
        self._listener.is_heard = False
        await kafka_client.leave(self.consumer, seconds=seconds)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # the client library is untyped
    """Tells the assignment at once, and waits for nothing but the end of batches: the client swallows what it raises.

    While it waits the client goes on with its heartbeats, and the group waits for us.
    """

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401 - the client library is untyped
        assignment: Assignment,
        finish: Callable[[], Awaitable[None]],
    ) -> None:
        self._consumer = consumer
        self._assignment = assignment
        self._finish = finish
        self._member_id = ""
        self.is_heard = True

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """The old assignment is gone."""
        if self.is_heard:
            self._assignment.revoke()
            await self._finish()
        coordinator = self._consumer._coordinator
        if coordinator._group_instance_id is not None and not coordinator.member_id:
            # The group knows us no more. The client would join anew, and so take the place of whoever took ours, who
            # would take it back, and so on. By the old id the group says whether there is such a one (KIP-345).
            coordinator.member_id = self._member_id

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """A new assignment begins."""
        if not self.is_heard:
            return
        self._member_id = self._consumer._coordinator.member_id
        partitions = [Partition(each.topic, each.partition) for each in assigned]
        self._assignment.assign(partitions)
        logger.info("assigned %s", ", ".join(map(str, sorted(partitions))) or "no partitions")
