"""One client after another: what stands still is given up for a new one, once there is one that is connected."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from aiokafka.errors import KafkaError

from consumers.assignment import Assignment
from consumers.member import Member
from consumers.watchdog import Stall
from db.stacks import describe_stacks
from db.telling import Spell
from db.waiting import jittered_seconds

logger = logging.getLogger("squad.source")

_LASTING: Final = 4
"""A client that lived for so many times the limit was not replaced in vain."""

_DOUBLINGS: Final = 3
"""How often the limit is doubled at most, while replacing does not help."""


class Succession:
    """The group's member that reads for us now, and its successor while that is sought.

    Args:
        build: makes another, told after how many seconds without getting on it is to be given up.
        assignment: of the consumer; outlives them all.
        request_seconds: how long another may take to connect.
        stop_seconds: how long one may take to leave.
        stall_seconds: after how long without getting on one is given up, unless that did not help before.
    """

    def __init__(
        self,
        *,
        build: Callable[[float], Member],
        assignment: Assignment,
        request_seconds: float,
        stop_seconds: float,
        stall_seconds: float,
    ) -> None:
        self._build = build
        self._assignment = assignment
        self._request_seconds = request_seconds
        self._stop_seconds = stop_seconds
        self._stall_seconds = stall_seconds
        self._in_a_row = 0
        self._waits: Iterator[float] | None = None
        self._brokers_away = Spell(logger, "no broker answers another client either")
        self._next: Member | None = None
        self.member = self._build_next()
        self.rebuilds = 0
        """How often one was replaced because it stood still."""

    async def start(self) -> None:
        """Connect and join the group.

        Raises:
            aiokafka.errors.KafkaError: the broker cannot be reached.
        """
        await self.member.connect()
        self.member.join()

    async def run(self) -> None:
        """Adopt partitions, read ahead and commit the group's offsets, until cancelled; a wedged client is replaced."""
        while True:
            began = monotonic()
            another = await self.member.run(self._find_another, self._note_getting_on)
            # Where replacing does not help, it is done less and less often.
            self._in_a_row = self._in_a_row + 1 if monotonic() - began < _LASTING * self._stall_seconds else 1
            await self._replace_by(another)

    async def stop(self) -> None:
        """Commit the group's offsets once more and leave it, within a deadline."""
        await self.member.offsets.commit_once()
        await self.member.close(seconds=self._stop_seconds)
        if self._next is not None:
            await self._next.close(seconds=self._stop_seconds)

    async def _find_another(self, stall: Stall) -> Member | None:
        """Connect another client; while that fails it is the brokers that are away, and the one that is there stays."""
        if self._waits is None:
            logger.error("the Kafka client stands still: %s; the tasks are\n%s", stall, describe_stacks())
            self._waits = jittered_seconds(first_seconds=1, most_seconds=10)
        self._next = self._build_next()
        try:
            async with asyncio.timeout(self._request_seconds):
                await self._next.connect()
        except (KafkaError, OSError) as error:
            self._brokers_away.meet(error)
            self._next = None
            await asyncio.sleep(next(self._waits))
        else:
            self._brokers_away.end()
        return self._next

    def _note_getting_on(self) -> None:
        """The client gets on by itself; the next time that it stands still is another one, and told as such."""
        self._waits = None
        self._brokers_away.end()

    async def _replace_by(self, another: Member) -> None:
        """Give the client up, and begin with the other one at the checkpoints."""
        old, self.member, self._next, self._waits = self.member, another, None, None
        self._assignment.revoke()
        await old.close(seconds=self._stop_seconds)
        self.member.join()
        self.rebuilds += 1
        logger.warning("the Kafka client is replaced by a new one, which reads from the checkpoints")

    def _build_next(self) -> Member:
        return self._build(self._stall_seconds * 2 ** min(self._in_a_row, _DOUBLINGS))
