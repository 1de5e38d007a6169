"""Thousands of malformed records between good ones: each ends in one way, and the good ones as if it were not there."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import pytest

from app import broker, topic_logs
from app.settings import Settings
from db.database import Database
from domain import commands
from domain.commands import Command
from messages import codec
from messages.codec import encode_command
from messages.keys import partition_of
from messages.refusals import Reason, RefusedError
from tests import making
from tests.acceptance.conftest import NOW, eventually, running
from tests.acceptance.test_consuming import rows
from tests.making import SOURCE, new_id
from tests.malformed import Malforming, Raw

NUMBER = 20_000

PER_GOOD = 20
"""Malformed records for each good one."""

DECIDED = "SELECT partition, record_offset, command_id, outcome FROM inbox WHERE topic = '{}'"
LETTERS = "SELECT partition, record_offset, reason, id::text FROM dead_letters"
EVENTS = """
    SELECT convert_from(key, 'UTF8'), causation_id, sequence FROM outbox
    WHERE causation_id LIKE 'good-%' AND sequence IS NOT NULL ORDER BY position
"""


def good_commands() -> Iterator[Command]:
    """Give commands without end that are all applied if each stream's are in order, forty streams by turns."""
    while True:
        users = [new_id() for _ in range(40)]
        yield from (making.register_user(user) for user in users)
        for number in range(9):
            yield from (commands.RenameUser(user_id=user, name=f"Name {number}") for user in users)


ANY_NUMBER = dict.fromkeys(
    ("breaker_consecutive_records", "breaker_share", "breaker_overall_consecutive_records", "breaker_overall_share"), 0
)
"""Of dead letters: no breaker stops their flood."""


async def send_mixed(settings: Settings, good: list[Command], seed: int) -> dict[tuple[int, int], Raw]:
    """Send good commands with malformed records around each, and give what was sent by its place."""
    partitions = settings.topic_partitions
    malformed = Malforming(seed=seed, time=NOW).records()
    planned: list[tuple[int, Raw]] = []
    for number, command in enumerate(good):
        key, value, headers = encode_command(command, command_id=f"good-{number}", source=SOURCE, time=NOW)
        planned.append((partition_of(key, partitions), Raw(key, value, [*headers])))
        planned += ((each % partitions, raw) for each, raw in enumerate(islice(malformed, PER_GOOD)))
    async with broker.open_producer(settings) as producer:
        topic = settings.topic("commands")
        waiting = [
            # The producer refuses to send nothing at all.
            await producer.send(
                topic, raw.value, key=raw.key or (None if raw.value else b""), headers=raw.headers, partition=number
            )
            for number, raw in planned
        ]
        places = [(each.partition, each.offset) for each in await asyncio.gather(*waiting)]
    return dict(zip(places, (raw for _, raw in planned), strict=True))


@pytest.mark.real_kafka("as many records as a mock is slow with")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long_faults) for seed in range(2, 8))])
async def test_malformed_records_end_in_one_way_each_and_good_ones_stay_in_order(service, database, seed):
    good = list(islice(good_commands(), NUMBER // PER_GOOD))
    sent = await send_mixed(service, good, seed)

    with running(service.model_copy(update=ANY_NUMBER), "run") as process:
        await eventually("all are past", lambda: has_passed(database, len(sent)), seconds=200)
        await eventually("all is published", lambda: is_published(service, database))
        code, printed = process.stop()
    assert code == 0, printed
    assert "Traceback" not in printed
    assert "stopped: the" not in printed, "no partition"

    repeats = await assert_one_end_each(service, database, sent)
    reasons = Counter(dict(await rows(database, "SELECT reason, count(*) FROM dead_letters GROUP BY reason")))
    assert "unexpected" not in reasons, "a record that no reader refuses and no statement takes"
    assert set(reasons) >= {
        *(Reason.UNREADABLE, Reason.INVALID_DATA, Reason.TOO_LARGE, Reason.KEY_MISMATCH, Reason.UNKNOWN_TYPE),
        *(Reason.FROM_THE_FUTURE, Reason.TOO_OLD, Reason.REPLY_FORBIDDEN, Reason.ID_CONFLICT),
    }
    # Every time of theirs can be read again; some were sent in the last microsecond of the year 9999.
    assert await rows(database, "SELECT min(ce_time), max(ce_time) FROM inbox")
    await assert_good_ones_in_order(database, good)
    await assert_published_once(service, database, repeats)


async def assert_one_end_each(settings: Settings, database: Database, sent: dict[tuple[int, int], Raw]) -> int:
    """See that each record was decided or is a dead letter, and give how many repeat a command decided before."""
    ends: dict[tuple[int, int], list[str]] = defaultdict(list)
    decided = await rows(database, DECIDED.format(settings.topic("commands")))
    for partition, offset, _, outcome in decided:
        ends[partition, offset].append(outcome)
    letters = {(partition, offset) for partition, offset, _, _ in await rows(database, LETTERS)}
    for place in letters:
        # A dead letter whose producer could be answered has an outcome besides, which says so.
        assert ends[place] in ([], ["dead-lettered"])
    assert {place for place, found in ends.items() if found == ["dead-lettered"]} <= letters
    assert ends.keys() <= sent.keys()
    ended = Counter(found[0] if found else "dead-lettered" for found in ends.values())
    assert ended.keys() <= {"applied", "rejected", "expired", "dead-lettered"}, ended
    assert ended["dead-lettered"] == len(letters)
    assert ended["applied"] >= NUMBER // PER_GOOD
    known = {command_id for _, _, command_id, _ in decided}
    repeats = [raw for place, raw in sent.items() if place not in ends]
    assert all(id_of(raw) in known for raw in repeats)
    return len(repeats)


def id_of(raw: Raw) -> str | None:
    with suppress(RefusedError):
        return codec.read(raw.headers, raw.value, codec.Limits())[0].id
    return None


async def assert_good_ones_in_order(database: Database, good: list[Command]) -> None:
    wanted: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for number, command in enumerate(good):
        of_stream = wanted[command.stream_id]
        of_stream.append((f"good-{number}", len(of_stream) + 1))
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for key, cause, sequence in await rows(database, EVENTS):
        found[key].append((cause, sequence))
    assert found == wanted


async def assert_published_once(settings: Settings, database: Database, repeats: int) -> None:
    """See that the topics have each dead letter and each outcome, an outcome again where its command was repeated."""
    letters = {identity for _, _, _, identity in await rows(database, LETTERS)}
    told = [dict(record.headers)["dead-letter-id"] async for record in tail(settings, settings.topic("dead-letters"))]
    assert (len(told), {(each or b"").decode() for each in told}) == (len(letters), letters)
    [(decided,)] = await rows(database, "SELECT count(*) FROM inbox")
    answered = [dict(record.headers)["ce_id"] async for record in tail(settings, settings.topic("outcomes"))]
    assert (len(answered), len(set(answered))) == (decided + repeats, decided)


def tail(settings: Settings, topic: str):
    return topic_logs.tail(settings, topic, from_beginning=True, to_end=True)


async def has_passed(database: Database, number: int) -> bool:
    [(passed,)] = await rows(database, "SELECT sum(next_offset) FROM checkpoints")
    return passed == number


async def is_published(settings: Settings, database: Database) -> bool:
    [(written,)] = await rows(database, "SELECT count(*) FROM outbox")
    names = (settings.topic(each) for each in ("events", "outcomes", "dead-letters"))
    return sum([sum((await topic_logs.end_offsets(settings, name)).values()) for name in names]) == written
