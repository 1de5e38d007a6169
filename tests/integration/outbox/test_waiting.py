"""Rows whose topic takes nothing wait aside, others go on, and each key keeps its order when it takes rows again."""

import logging
from collections.abc import Sequence

import pytest
from sqlalchemy import Row

from db.database import Database
from outbox import hold_requests
from outbox.refused import Way
from outbox.relay import Relay
from outbox.settling import RefusalPolicy
from outbox.wire import Record
from tests.holding import number, numbers
from tests.relaying import TOPIC, DisturbedError, RecordingPublisher, fetch_rows, leading_relay, write_rows

OTHER = "squad.outcomes"


async def held(database: Database) -> Sequence[Row[tuple[bytes, str | None]]]:
    return await fetch_rows(database, "SELECT key, awaits, reason FROM held ORDER BY position")


async def relay_until_nothing_waits(relay: Relay, database: Database) -> None:
    for _ in range(1000):
        await relay.relay_batch()
        if not await held(database):
            return
    raise AssertionError("rows still wait")


async def test_topic_that_takes_nothing_does_not_keep_others_waiting_and_keeps_its_order(database: Database) -> None:
    publisher = RecordingPublisher(blocked={TOPIC})
    await write_rows(database, "a", [1, 2])
    await write_rows(database, None, [1])
    await write_rows(database, "a", [1], topic=OTHER)
    async with leading_relay(database, publisher, page_rows=2) as relay:
        await relay.pass_once()
        await write_rows(database, "a", [3])
        await write_rows(database, "b", [1])
        await write_rows(database, "a", [2], topic=OTHER)
        await relay.pass_once()
        await relay.pass_once()
        assert (numbers(publisher, "a"), numbers(publisher, "a", OTHER)) == ([], [1, 2])
        assert {each.awaits for each in await held(database)} == {TOPIC}
        assert relay.describe() == {TOPIC: {"waiting_rows": 5}}

        publisher.blocked.clear()
        await write_rows(database, "a", [4])
        await relay_until_nothing_waits(relay, database)
        await relay.pass_once()
        assert relay.describe() == {}

    assert [numbers(publisher, key) for key in ("a", "b", None)] == [[1, 2, 3, 4], [1], [1]]


async def test_waiting_rows_outlive_the_relay_and_go_on_without_an_operator(database: Database) -> None:
    publisher = RecordingPublisher(blocked={TOPIC})
    await write_rows(database, "a", [1, 2])
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
    publisher.blocked.clear()
    await write_rows(database, "a", [3])
    async with leading_relay(database, publisher, page_rows=1) as relay:
        await relay_until_nothing_waits(relay, database)
        await relay.pass_once()

    assert numbers(publisher, "a") == [1, 2, 3]


async def test_rows_are_tried_again_before_newer_ones_are_read_so_that_a_busy_key_is_not_held_for_ever(
    database: Database,
) -> None:
    publisher = RecordingPublisher(blocked={TOPIC})
    await write_rows(database, "a", range(1, 7))
    async with leading_relay(database, publisher, page_rows=2) as relay:
        await relay.pass_once()
        publisher.blocked.clear()
        # As many new rows for each page as a page takes.
        sequence = 7
        while numbers(publisher, "a")[-1:] != [sequence - 1]:
            await write_rows(database, "a", [sequence, sequence + 1])
            sequence += 2
            assert sequence < 200
            await relay.relay_batch()
            await relay.relay_batch()

    assert numbers(publisher, "a") == list(range(1, sequence))


async def test_relay_that_dies_before_it_stored_a_try_repeats_it(database: Database) -> None:
    publisher = RecordingPublisher(blocked={TOPIC})
    await write_rows(database, "a", [1, 2])
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
        publisher.blocked.clear()

        async def die(_: Sequence[Record]) -> None:
            publisher.after = None
            raise DisturbedError

        publisher.after = die
        with pytest.raises(DisturbedError):
            await relay_until_nothing_waits(relay, database)
        await relay_until_nothing_waits(relay, database)

    assert numbers(publisher, "a") == [1, 2, 1, 2]


async def test_relay_stands_still_when_too_many_rows_wait_and_says_so_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = RecordingPublisher(blocked={TOPIC})
    await write_rows(database, "a", [1, 2, 3])
    async with leading_relay(database, publisher, waiting_most_rows=3) as relay:
        await relay.relay_batch()
        await write_rows(database, "b", [1], topic=OTHER)
        for _ in range(5):
            assert await relay.relay_batch() == 0
        assert (len(await held(database)), publisher.records) == (3, [])
        publisher.blocked.clear()
        await relay_until_nothing_waits(relay, database)
        await relay.pass_once()

    assert numbers(publisher, "b", OTHER) == [1]
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == [
        f"relay stands still shard=0: 3 rows wait for ['{TOPIC}']"
    ]


@pytest.mark.parametrize("way", ["hold", "skip"])
async def test_row_that_is_refused_when_its_topic_takes_rows_again_is_settled_as_any_refused_one(
    database: Database, way: Way
) -> None:
    publisher = RecordingPublisher(blocked={TOPIC})
    await write_rows(database, "a", [1, 2, 3])
    await write_rows(database, "b", [1])
    async with leading_relay(database, publisher, refusals=RefusalPolicy(way=way)) as relay:
        await relay.pass_once()
        publisher.blocked.clear()
        publisher.refuse = lambda record: (record.key, number(record)) == (b"a", 2)
        for _ in range(100):
            await relay.relay_batch()
        await write_rows(database, "a", [4])
        await relay.pass_once()

    assert (numbers(publisher, "a"), numbers(publisher, "b")) == ([1] if way == "hold" else [1, 3, 4], [1])
    assert [(each.key, each.awaits, each.reason.split()[0]) for each in await held(database)] == (
        [(b"a", None, "a"), (b"a", None, "behind"), (b"a", None, "behind")] if way == "hold" else []
    )
    skipped = await fetch_rows(database, "SELECT 1 FROM audit WHERE action = 'relay skipped'")
    assert len(skipped) == (way == "skip")


async def test_refused_row_that_an_operator_releases_while_its_topic_takes_nothing_goes_on_when_it_does(
    database: Database,
) -> None:
    publisher = RecordingPublisher(refuse=lambda record: number(record) == 1)
    await write_rows(database, "a", [1, 2])
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
        publisher.refuse, publisher.blocked = (lambda _: False), {TOPIC}
        async with database.transaction() as session:
            position = await hold_requests.find_position(session, topic=TOPIC, key=b"a")
            await hold_requests.request_release(session, position=position, reason="the limit is higher now")
        await relay.relay_batch()
        assert [each.awaits for each in await held(database)] == [TOPIC, TOPIC]
        publisher.blocked.clear()
        await relay_until_nothing_waits(relay, database)

    assert numbers(publisher, "a") == [1, 2]
