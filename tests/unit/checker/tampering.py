"""Ways to change a small run after it was made."""

from collections.abc import Callable
from dataclasses import replace

from checker.evidence import Place
from tests.unit.checker.small_run import COMMANDS, EVENTS_TOPIC, SmallRun

Plant = Callable[[SmallRun], object]


def rewrite(run: SmallRun, topic: str, index: int, **changes: object) -> None:
    run.topics[topic][index] = replace(run.topics[topic][index], **changes)  # type: ignore[arg-type] # by name


def repeat(run: SmallRun, topic: str, **changes: object) -> None:
    record = replace(run.topics[topic][0], **changes)  # type: ignore[arg-type] # by name
    run.append(topic, record.key, record.value, record.headers)


def swap(run: SmallRun, topic: str, one: int, other: int) -> None:
    records = run.topics[topic]
    first, second = records[one], records[other]
    records[one], records[other] = replace(second, place=first.place), replace(first, place=second.place)


def take_off_topic(run: SmallRun, topic: str, *indexes: int) -> set[int]:
    """Remove records, and give the positions of their rows."""
    ids = {run.topics[topic][index].header("ce_id") for index in indexes}
    for index in sorted(indexes, reverse=True):
        run.remove(topic, index)
    return {row.position for row in run.outbox if row.event_id in ids}


def take_out_of_order(run: SmallRun) -> None:
    """The completion of a task stands before its creation, and was applied after it all the same."""
    swap(run, COMMANDS, 4, 5)
    run.inbox[4], run.inbox[5] = replace(run.inbox[4], place=Place(0, 5)), replace(run.inbox[5], place=Place(0, 4))
    run.history.ok(4, 0, 5)
    run.history.ok(5, 0, 4)


def repeat_three(run: SmallRun) -> None:
    for record in run.topics[EVENTS_TOPIC][:3]:
        run.append(EVENTS_TOPIC, record.key, record.value, record.headers)
