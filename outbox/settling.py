"""Publishing a page in spite of rows that Kafka refuses: they are held, diverted to the dead letters, or left out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, assert_never

from outbox.diverting import divert
from outbox.refused import Refused, Way, shown_key
from outbox.wire import Record

logger = logging.getLogger("squad.relay")


class Publisher(Protocol):
    """Where the relay's records go."""

    async def publish(self, records: Sequence[Record], *, once: bool = False) -> Sequence[Refused]:
        """Publish records in order for each key, and return when every one is durable, refused, or has to wait.

        Args:
            records: by position.
            once: whether they waited for a topic or partition, and are to go on waiting if it takes nothing at once.

        Returns:
            By position, what never will be durable, and what was withheld behind such a record of its topic and key;
            and what waits for a topic or partition that takes nothing now.
        """
        ...

    async def close(self) -> None:
        """Let connections go; publishing may go on afterwards."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalPolicy:
    """What is done with rows that Kafka refuses for good.

    Args:
        way: hold, divert or skip.
        dead_letters_topic: where rows are diverted to; without it they are held.
        dead_letter_bytes: headers and body of a diverted row at most.
    """

    way: Way = "hold"
    dead_letters_topic: str | None = None
    dead_letter_bytes: int = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What of a page is not on its topics, to be stored with the cursor.

    Attributes:
        held: rows that are to wait, for an operator or for their topic or partition.
        diverted, skipped: rows that nobody publishes any more.
    """

    held: list[Refused] = field(default_factory=list)
    diverted: list[Refused] = field(default_factory=list)
    skipped: list[Refused] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.held or self.diverted or self.skipped)


NOTHING = Settled()
"""Of a page that is published whole."""


class Settler:
    """Publishes what can be published, and decides about the rest.

    Args:
        publisher: where the records go.
        policy: what is done with refused rows.
    """

    def __init__(self, *, publisher: Publisher, policy: RefusalPolicy) -> None:
        self._publisher = publisher
        self._policy = policy

    async def publish(self, records: Sequence[Record], *, once: bool = False) -> Settled:
        """Publish records, and what has to go in their place.

        Args:
            records: by position.
            once: as a publisher has it.

        Returns:
            What is not on its topic.
        """
        refused = await self._publisher.publish(records, once=once)
        if not refused:
            return NOTHING
        settled = Settled()
        while refused:
            refused = await self._settle(refused, settled)
        return settled

    async def divert(self, records: Sequence[Record], *, reason: str) -> Sequence[Refused]:
        """Publish dead letters of rows, whatever the policy; give those of which there can be none.

        Args:
            records: each as if it were alone.
            reason: why they are no longer to go where they were to.
        """
        return await self._divert([Refused(record=record, reason=reason) for record in records])

    async def _settle(self, refused: Sequence[Refused], settled: Settled) -> Sequence[Refused]:
        """Decide about the first refused row of each key, and publish those behind them again, if they may pass."""
        settled.held.extend(each for each in refused if each.awaits is not None)
        refused = [each for each in refused if each.awaits is None]
        culprits = [each for each in refused if each.behind is None]
        stuck: list[Refused] = []
        match self._policy.way:
            case "skip":
                self._tell(culprits, "skipped")
                settled.skipped.extend(culprits)
            case "divert":
                stuck = await self._divert(culprits)
                stuck_positions = {each.position for each in stuck}
                settled.diverted.extend(each for each in culprits if each.position not in stuck_positions)
            case "hold":
                stuck = culprits
            case _:
                assert_never(self._policy.way)
        self._tell(stuck, "held")
        held = {each.position for each in stuck}
        waiting = [each for each in refused if each.behind in held]
        settled.held.extend(sorted([*stuck, *waiting], key=lambda each: each.position))
        passing = [each.record for each in refused if each.behind is not None and each.behind not in held]
        return await self._publisher.publish(passing) if passing else ()

    async def _divert(self, culprits: Sequence[Refused]) -> list[Refused]:
        """Publish dead letters; give the rows for which there can be none, dead letters themselves among them."""
        topic = self._policy.dead_letters_topic
        if topic is None:
            return list(culprits)
        outward = [each for each in culprits if each.record.topic != topic]
        letters = [divert(each, topic=topic, max_bytes=self._policy.dead_letter_bytes) for each in outward]
        unsent = {each.position: each.reason for each in await self._publisher.publish(letters)}
        self._tell([each for each in outward if each.position not in unsent], "diverted")
        stuck = []
        for each in culprits:
            if each.position in unsent:
                stuck.append(replace(each, reason=f"{each.reason}; its dead letter: {unsent[each.position]}"))
            elif each.record.topic == topic:
                stuck.append(each)
        return stuck

    @staticmethod
    def _tell(culprits: Sequence[Refused], what: str) -> None:
        for each in culprits:
            topic, key = each.record.topic, shown_key(each.record.key)
            logger.error(
                "kafka refuses the outbox row at position %d, %s topic=%s key=%s reason=%s",
                *(each.position, what, topic, key, each.reason),
            )
