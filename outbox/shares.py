"""A page's records by partition: what still waits, in order, and what Kafka refuses or does not take now."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from messages.keys import partition_of
from outbox.refused import Refused, behind
from outbox.troubles import Place
from outbox.wire import Record


@dataclass(slots=True)
class Share:
    """What of a page goes to one partition, or to a topic of which no partitions are known."""

    place: Place
    waiting: list[Record] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, reason: str) -> None:
        """Take the first out, and with it all others of its key; a record without a key has no order to keep."""
        culprit = self.waiting.pop(0)
        self.refused.append(Refused(record=culprit, reason=reason))
        if culprit.key is None:
            return
        self.refused += [behind(each, culprit.position) for each in self.waiting if each.key == culprit.key]
        self.waiting = [each for each in self.waiting if each.key != culprit.key]

    def set_aside(self, reason: str) -> None:
        """Take all out that still waits: it waits for the place from now on."""
        self.refused += [Refused(record=each, reason=reason, awaits=str(self.place)) for each in self.waiting]
        self.waiting = []


def by_topic(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Give the records of each topic, in order."""
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.topic].append(record)
    return found


def by_partition(topic: str, records: Sequence[Record], *, count: int) -> list[Share]:
    """Give a topic's records by partition, in order; each where Kafka's default partitioner puts its key."""
    found: defaultdict[int, list[Record]] = defaultdict(list)
    for record in records:
        found[partition_of(record.key, count)].append(record)
    return [Share(Place(topic, partition), waiting) for partition, waiting in found.items()]
