"""What operators want of held rows: releases, skips and dead letters, done in order by the relay that leads."""

import asyncio

import pytest

from db.database import Database
from outbox import hold_requests
from outbox.errors import LeaseLostError
from outbox.hold_requests import NotHeldError
from outbox.settling import RefusalPolicy
from tests.holding import held, number, numbers, position_of, refusing
from tests.relaying import TOPIC, DisturbedError, RecordingPublisher, execute, fetch_rows, leading_relay, write_rows


async def release(database: Database, key: bytes = b"a") -> int:
    async with database.transaction() as session:
        position = await hold_requests.find_position(session, topic=TOPIC, key=key)
        return await hold_requests.request_release(session, position=position, reason="a test wants it")


async def skip(database: Database, position: int, *, release_others: bool) -> None:
    async with database.transaction() as session:
        await hold_requests.request_skip(
            session, position=position, reason="a test wants it", release_others=release_others
        )


async def test_release_publishes_in_order_with_rows_that_came_meanwhile(database: Database) -> None:
    publisher = refusing(2)
    async with leading_relay(database, publisher, page_rows=2) as relay:
        await write_rows(database, "a", range(1, 7))
        await relay.pass_once()
        publisher.refuse = lambda _: False
        assert await release(database) == 5
        # Each batch does a page of the release and a page of what is new.
        for sequence in (7, 8):
            await write_rows(database, "a", [sequence])
            await write_rows(database, "b", [sequence])
            await relay.relay_batch()
        assert 7 not in numbers(publisher, "a")
        assert numbers(publisher, "b") == [7, 8]
        while await relay.relay_batch():
            pass
        await write_rows(database, "a", [9])
        await relay.relay_batch()

    assert numbers(publisher, "a") == list(range(1, 10))
    assert await held(database) == []


async def test_release_is_done_by_the_next_relay_when_none_runs(database: Database) -> None:
    await write_rows(database, "a", [1, 2])
    async with leading_relay(database, refusing(1)) as relay:
        await relay.pass_once()
    await release(database)
    publisher = RecordingPublisher()
    async with leading_relay(database, publisher) as relay:
        assert await relay.pass_once() == 2
    assert numbers(publisher, "a") == [1, 2]


async def test_row_refused_again_stays_held_with_the_new_reason(database: Database) -> None:
    publisher = refusing(1)
    async with leading_relay(database, publisher) as relay:
        await write_rows(database, "a", [1, 2, 3])
        await relay.pass_once()
        publisher.refuse = refusing(2).refuse
        await release(database)
        for _ in range(3):
            await relay.pass_once()

        assert numbers(publisher, "a") == [1]
        assert await held(database) == [(b"a", "a"), (b"a", "behind")]
        assert await fetch_rows(database, "SELECT 1 FROM held WHERE release_requested") == []
        publisher.refuse = lambda _: False
        await release(database)
        await relay.pass_once()
    assert numbers(publisher, "a") == [1, 2, 3]


async def test_released_rows_are_repeated_when_the_relay_dies_before_it_stored_that(database: Database) -> None:
    await write_rows(database, "a", [1, 2])
    async with leading_relay(database, refusing(1)) as relay:
        await relay.pass_once()
    await release(database)

    async def die(_: object) -> None:
        publisher.after = None
        raise DisturbedError

    publisher = RecordingPublisher(after=die)
    async with leading_relay(database, publisher) as relay:
        with pytest.raises(DisturbedError):
            await relay.relay_batch()
        assert await relay.relay_batch() == 2
    assert numbers(publisher, "a") == [1, 2, 1, 2]
    assert await held(database) == []


async def test_overtaken_relay_cannot_end_a_hold(database: Database) -> None:
    await write_rows(database, "a", [1])
    async with leading_relay(database, refusing(1)) as relay:
        await relay.pass_once()
    await release(database)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def pause(_: object) -> None:
        reached.set()
        await go_on.wait()

    async with leading_relay(database, RecordingPublisher(after=pause)) as paused:
        paused_pass = asyncio.ensure_future(paused.relay_batch())
        await reached.wait()
        async with leading_relay(database, refusing(1)) as successor:
            await successor.relay_batch()
            go_on.set()
            with pytest.raises(LeaseLostError):
                await paused_pass
    assert await held(database) == [(b"a", "a")]


@pytest.mark.parametrize(("release_others", "expected"), [(True, [1, 3, 4]), (False, [1])])
async def test_skipped_row_is_never_published_and_the_others_do_as_said(
    database: Database, release_others: bool, expected: list[int]
) -> None:
    publisher = refusing(2)
    async with leading_relay(database, publisher) as relay:
        await write_rows(database, "a", [1, 2, 3])
        await relay.pass_once()
        await skip(database, await position_of(database, "a", 2), release_others=release_others)
        await write_rows(database, "a", [4])
        for _ in range(3):
            await relay.pass_once()

    assert numbers(publisher, "a") == expected
    assert len(await held(database)) == 4 - 1 - len(expected)
    (note,) = await fetch_rows(database, "SELECT action, target, reason, after FROM audit")
    assert (note.action, note.reason) == ("holds skip", "a test wants it")
    assert note.target == f"outbox/{await position_of(database, 'a', 2)}"


async def test_skipping_the_only_row_ends_the_hold(database: Database) -> None:
    publisher = refusing(1)
    async with leading_relay(database, publisher) as relay:
        await write_rows(database, "a", [1])
        await relay.pass_once()
        await skip(database, await position_of(database, "a", 1), release_others=False)
        await relay.pass_once()
        await write_rows(database, "a", [2])
        await relay.pass_once()
    assert numbers(publisher, "a") == [2]


async def test_row_that_was_removed_from_the_outbox_stays_in_the_list_and_says_so(database: Database) -> None:
    publisher = refusing(1)
    async with leading_relay(database, publisher) as relay:
        await write_rows(database, "a", [1, 2])
        await relay.pass_once()
        await execute(database, "DELETE FROM outbox WHERE sequence = 1")
        await release(database)
        await relay.pass_once()
    assert numbers(publisher, "a") == [2]
    assert await held(database) == [(b"a", "the")]


async def test_what_is_not_held_cannot_be_asked_for(database: Database) -> None:
    async with database.transaction() as session:
        with pytest.raises(NotHeldError):
            await hold_requests.request_release(session, position=4711, reason="so")
        with pytest.raises(NotHeldError):
            await hold_requests.request_skip(session, position=4711, reason="so", release_others=False)
        with pytest.raises(NotHeldError):
            await hold_requests.find_position(session, topic=TOPIC, key=b"a")


async def test_holds_are_listed_by_topic_and_key(database: Database) -> None:
    publisher = RecordingPublisher(refuse=lambda record: number(record) == 1)
    async with leading_relay(database, publisher) as relay:
        await write_rows(database, "a", [1, 2])
        await write_rows(database, None, [1, 1])
        await relay.pass_once()
    async with database.sessions() as session:
        listed = await hold_requests.fetch_holds(session)
        assert [(hold.key, hold.rows, hold.reason) for hold in listed] == [
            (b"a", 2, "a test says so"),
            (None, 1, "a test says so"),
            (None, 1, "a test says so"),
        ]
        assert [hold.rows for hold in await hold_requests.fetch_holds(session, topic=TOPIC, key=b"a")] == [2]
        assert await hold_requests.fetch_holds(session, topic="other") == []


@pytest.mark.parametrize("key", [b"plain", b"\xff\x00", b"\\xyz", "tasks ü".encode(), b"line\nbreak"])
def test_keys_are_shown_as_they_can_be_given(key: bytes) -> None:
    assert hold_requests.parse_key(hold_requests.show_key(key) or "") == key


@pytest.mark.parametrize("release_others", [False, True])
async def test_single_held_row_is_diverted_when_an_operator_wants_it_and_the_others_as_said(
    database: Database,
    release_others: bool,
) -> None:
    publisher = refusing(1)
    policy = RefusalPolicy(way="hold", dead_letters_topic="squad.dead-letters")
    await write_rows(database, "a", [1, 2])
    async with leading_relay(database, publisher, refusals=policy) as relay:
        await relay.pass_once()
        position = await position_of(database, "a", 1)
        async with database.transaction() as session:
            await hold_requests.request_divert(
                session, position=position, reason="nobody needs it", release_others=release_others
            )
        for _ in range(3):
            await relay.relay_batch()

    letters = [each for each in publisher.records if each.topic == "squad.dead-letters"]
    assert [each.key for each in letters] == [b"a"]
    assert dict(letters[0].headers())["dead-letter-reason"] == b"refused-by-kafka"
    assert numbers(publisher, "a") == ([2] if release_others else [])
    assert len(await held(database)) == (0 if release_others else 1)
    (note,) = await fetch_rows(database, "SELECT action, reason FROM audit")
    assert tuple(note) == ("holds divert", "nobody needs it")


async def test_held_row_that_cannot_be_a_dead_letter_stays_held_and_is_not_tried_for_ever(database: Database) -> None:
    publisher = RecordingPublisher(refuse=lambda _: True)
    policy = RefusalPolicy(way="hold", dead_letters_topic="squad.dead-letters")
    await write_rows(database, "a", [1])
    async with leading_relay(database, publisher, refusals=policy) as relay:
        await relay.pass_once()
        async with database.transaction() as session:
            position = await position_of(database, "a", 1)
            await hold_requests.request_divert(session, position=position, reason="try", release_others=False)
        await relay.relay_batch()
    (row,) = await fetch_rows(database, "SELECT reason, divert_requested FROM held")
    assert ("its dead letter:" in row.reason, row.divert_requested) == (True, False)
