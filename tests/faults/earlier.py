"""Records that the topic of the commands had once, put back into the evidence: the judge asks for all of them."""

from collections.abc import Callable, Collection
from dataclasses import replace

from app import broker
from checker.evidence import Evidence, Headers, LetterRow, Place, TopicDump, TopicRecord
from checker.history import Attempt
from checker.topics import read_topics
from tests.faults.scenario import Scenario

MOVED = 100
"""Added to the partitions of a log that is no more, to tell its places from those of the log that came after it."""


async def read_commands(run: Scenario) -> TopicDump:
    """Read the topic of the commands as it is."""
    topic = run.settings.topic("commands")
    return (await read_topics(broker.client_arguments(run.settings), [topic]))[topic]


def forget_unread(attempts: list[Attempt], gone: Collection[Place]) -> None:
    """Take what was deleted before anybody read it out of a history: that it is lost was accepted."""
    attempts[:] = [each for each in attempts if (each.partition, each.offset) not in gone]


def with_deleted(before: TopicDump, gone: Collection[Place]) -> Callable[[Evidence], Evidence]:
    """Give what puts back records that were deleted after they were applied.

    Args:
        before: the topic as it was; from its first record.
        gone: those that were deleted before anybody read them.
    """

    def amend(evidence: Evidence) -> Evidence:
        there = {record.place for record in evidence.commands.records}
        deleted = [each for each in before.records if each.place not in there and each.place not in gone]
        records = sorted([*deleted, *evidence.commands.records], key=lambda record: record.place)
        return replace(evidence, commands=replace(evidence.commands, records=records, begins=before.begins))

    return amend


async def set_aside(run: Scenario) -> Callable[[Evidence], Evidence]:
    """Give what puts back the log as it is now, once it was made anew; everything in it is applied.

    Until then its places are no more in the producers' histories, for others are at the same places by then.
    """
    earlier, places = await read_commands(run), []
    for producer in run.producers:
        for attempt in producer.history.attempts:
            if attempt.partition is not None:
                places.append((attempt, attempt.partition, attempt.offset))
                attempt.partition = attempt.offset = None
    tables = (await run.gather()).tables
    decided = {row.identity for row in tables.inbox}
    letters = {letter.id for letter in tables.letters}

    def amend(evidence: Evidence) -> Evidence:
        for attempt, partition, offset in places:
            attempt.partition, attempt.offset = partition + MOVED, offset
        return replace(
            evidence,
            commands=_both(earlier, evidence.commands),
            dead_letters=replace(
                evidence.dead_letters,
                records=[_told_elsewhere(each, letters) for each in evidence.dead_letters.records],
            ),
            tables=replace(
                evidence.tables,
                inbox=[
                    replace(row, place=_moved(row.place)) if row.identity in decided else row
                    for row in evidence.tables.inbox
                ],
                letters=[_letter_elsewhere(each, letters) for each in evidence.tables.letters],
                checkpoints={
                    **evidence.tables.checkpoints,
                    **{partition + MOVED: end for partition, end in earlier.ends.items()},
                },
            ),
        )

    return amend


def _moved(place: Place) -> Place:
    return Place(place.partition + MOVED, place.offset)


def _both(earlier: TopicDump, later: TopicDump) -> TopicDump:
    return replace(
        later,
        records=[*later.records, *(replace(each, place=_moved(each.place)) for each in earlier.records)],
        begins={**later.begins, **{partition + MOVED: begin for partition, begin in earlier.begins.items()}},
        ends={**later.ends, **{partition + MOVED: end for partition, end in earlier.ends.items()}},
    )


def _letter_elsewhere(letter: LetterRow, letters: Collection[str]) -> LetterRow:
    return replace(letter, place=_moved(letter.place)) if letter.id in letters else letter


def _told_elsewhere(record: TopicRecord, letters: Collection[str]) -> TopicRecord:
    if record.header("dead-letter-id") not in letters:
        return record
    headers: Headers = tuple(
        (name, str(int(value or b"0") + MOVED).encode() if name == "dead-letter-partition" else value)
        for name, value in record.headers
    )
    return replace(record, headers=headers)
