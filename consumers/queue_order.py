"""Which records come next of those that wait behind a dead letter, in one stream or in several; needs no database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.stored_records import StoredRecord
from domain.values import Id


@dataclass(slots=True)
class Waiting:
    """A parked record, once, in however many streams it waits.

    Args:
        record: as it came.
        numbers: its number in each of the letter's streams where it was found.
        streams: all streams in which it waits, also behind other letters; known when it is read.
    """

    record: StoredRecord
    numbers: dict[Id, int] = field(default_factory=dict)
    streams: set[Id] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """The beginnings of the queues of a letter's streams.

    Args:
        by_stream: what waits in each of the letter's streams, in order; a stream in which nothing waits is here too.
        cut: the streams of which not all that waits was loaded, perhaps.
    """

    by_stream: Mapping[Id, Sequence[Waiting]]
    cut: Collection[Id]

    @property
    def records(self) -> list[Waiting]:
        """Everything that waits in them, each record once."""
        once = {id(waiting): waiting for queue in self.by_stream.values() for waiting in queue}
        return list(once.values())

    def plan(self, letters: Mapping[Id, Id], letter_id: Id, *, most: int) -> "Plan":
        """Say which records come next: one that waits in several streams, when it is the first of each.

        Args:
            letters: behind which letter each parked stream waits, as locked.
            letter_id: whose queues these are.
            most: how many records at most.

        Raises:
            RuntimeError: two streams have two records in different orders, which parking never does.
        """
        heads = dict.fromkeys(self.by_stream, 0)
        order: list[Waiting] = []
        blocked: dict[Id, Id] = {}
        went_on = True
        while went_on and len(order) < most:
            went_on = False
            for stream, queue in self.by_stream.items():
                while len(order) < most and stream not in blocked and heads[stream] < len(queue):
                    waiting = queue[heads[stream]]
                    other = _other_letter(waiting, letters, letter_id)
                    if other is not None:
                        blocked[stream] = other
                    elif not self._is_first(waiting, heads):
                        break
                    else:
                        order.append(waiting)
                        went_on = True
                        for each in waiting.numbers:
                            heads[each] += 1
        if not order and not blocked and any(self.by_stream.values()) and most:
            raise RuntimeError(f"no record behind dead letter {letter_id} is the first of all its streams")
        return Plan(order=order, blocked=blocked)

    def _is_first(self, waiting: Waiting, heads: Mapping[Id, int]) -> bool:
        for stream in waiting.streams & self.by_stream.keys():
            if stream not in waiting.numbers:
                if stream in self.cut:
                    return False
            elif self.by_stream[stream][heads[stream]] is not waiting:
                return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one transaction takes from the queues.

    Args:
        order: the records, as they are to be decided.
        blocked: the streams whose next record waits behind another letter too, and which.
    """

    order: Sequence[Waiting]
    blocked: Mapping[Id, Id]


def _other_letter(waiting: Waiting, letters: Mapping[Id, Id], letter_id: Id) -> Id | None:
    others = (letters[stream] for stream in sorted(waiting.streams) if letters.get(stream, letter_id) != letter_id)
    return next(others, None)
