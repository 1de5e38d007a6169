"""Held rows: what waits and what does not, by the policy, and that nothing of a key overtakes."""

import pytest
from sqlalchemy import event

from db.database import Database
from outbox import hold_requests
from outbox.refused import Way
from outbox.settling import RefusalPolicy
from tests.holding import held, number, numbers, position_of, refusing
from tests.relaying import RecordingPublisher, execute, fetch_rows, leading_relay, write_rows


@pytest.mark.parametrize(("way", "published", "withheld"), [("hold", 2, 1), ("divert", 3, 0), ("skip", 3, 0)])
async def test_what_becomes_of_rows_is_counted_by_the_policy(
    database: Database, way: Way, published: int, withheld: int
) -> None:
    await write_rows(database, "a", [1, 2, 3])
    await write_rows(database, "b", [1])
    policy = RefusalPolicy(way=way, dead_letters_topic="letters")

    async with leading_relay(database, refusing(2), refusals=policy) as relay:
        await relay.pass_once()

        assert relay.tally.refused[way] == relay.tally.refused.total() == 1
        assert relay.tally.withheld == withheld
        assert relay.tally.published == published
        assert relay.tally.page_rows.sum == 4
        assert relay.tally.page_seconds.count == 1


async def test_refused_row_holds_later_ones_of_its_topic_and_key_only(database: Database) -> None:
    publisher = refusing(2)
    async with leading_relay(database, publisher, page_rows=2) as relay:
        await write_rows(database, "a", [1, 2, 3])
        await write_rows(database, "b", [1])
        await write_rows(database, "a", [1], topic="squad.outcomes")
        await relay.pass_once()
        await write_rows(database, "a", [4])
        await write_rows(database, "b", [2])
        await relay.pass_once()

    assert (numbers(publisher, "a"), numbers(publisher, "b")) == ([1], [1, 2])
    assert numbers(publisher, "a", "squad.outcomes") == [1]
    assert await held(database) == [(b"a", "a"), (b"a", "behind"), (b"a", "behind")]


async def test_holds_outlive_the_reader_that_made_them(database: Database) -> None:
    publisher = refusing(1)
    await write_rows(database, "a", [1])
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
    publisher.refuse = lambda _: False
    await write_rows(database, "a", [2])
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()

    assert publisher.records == []
    assert len(await held(database)) == 2


async def test_row_without_a_key_holds_only_itself(database: Database) -> None:
    publisher = refusing(1, key=None)
    async with leading_relay(database, publisher) as relay:
        await write_rows(database, None, [1, 2])
        await relay.pass_once()
        await write_rows(database, None, [3])
        await relay.pass_once()
        assert [number(record) for record in publisher.records] == [2, 3]

        publisher.refuse = lambda _: False
        (row,) = await fetch_rows(database, "SELECT position FROM held")
        async with database.transaction() as session:
            assert await hold_requests.request_release(session, position=row.position, reason="so") == 1
        await relay.pass_once()

    assert [number(record) for record in publisher.records] == [2, 3, 1]
    assert await held(database) == []


async def test_line_and_cursor_are_written_together_or_not_at_all(database: Database) -> None:
    publisher = refusing(1)
    await write_rows(database, "a", [1])
    await execute(database, "ALTER TABLE held ADD CONSTRAINT no CHECK (reason = '')")
    async with leading_relay(database, publisher) as relay:
        with pytest.raises(Exception, match="violates check constraint"):
            await relay.relay_batch()
        (cursor,) = await fetch_rows(database, "SELECT position FROM relay_cursors")
        assert cursor.position == 0
        await execute(database, "ALTER TABLE held DROP CONSTRAINT no")
        assert await relay.relay_batch() == 1
    assert await held(database) == [(b"a", "a")]


@pytest.mark.parametrize(("way", "published"), [("skip", [1, 3, 5]), ("hold", [1])])
async def test_setting_says_what_becomes_of_refused_rows(database: Database, way: Way, published: list[int]) -> None:
    publisher = refusing(2, 4)
    async with leading_relay(database, publisher, refusals=RefusalPolicy(way=way)) as relay:
        await write_rows(database, "a", range(1, 6))
        await relay.pass_once()
    assert numbers(publisher, "a") == published
    notes = await fetch_rows(database, "SELECT target FROM audit WHERE action = 'relay skipped' ORDER BY id")
    skipped = [await position_of(database, "a", each) for each in (2, 4)] if way == "skip" else []
    assert [note.target for note in notes] == [f"outbox/{each}" for each in skipped]


async def test_dead_letter_that_is_refused_itself_is_held(database: Database) -> None:
    letters = "squad.dead-letters"
    policy = RefusalPolicy(way="divert", dead_letters_topic=letters)
    publisher = RecordingPublisher(refuse=lambda record: record.topic == letters or number(record) == 1)
    async with leading_relay(database, publisher, refusals=policy) as relay:
        await write_rows(database, "a", [1, 2])
        await write_rows(database, "a", [7], topic=letters)
        await write_rows(database, "b", [1])
        await write_rows(database, "b", [2], topic="squad.outcomes")
        await relay.pass_once()
    assert [(record.topic, record.key) for record in publisher.records] == [("squad.outcomes", b"b")]
    assert len(await held(database)) == 4
    assert await fetch_rows(database, "SELECT 1 FROM audit") == []


async def test_without_holds_no_statement_asks_for_them(database: Database) -> None:
    statements: list[str] = []
    await write_rows(database, "a", [1, 2, 3])
    async with leading_relay(database, RecordingPublisher(), page_rows=2) as relay:
        await relay.relay_batch()
        event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        await relay.relay_batch()
        await relay.relay_batch()
    assert statements
    assert [each for each in statements if "held" in each or "BEGIN" in each] == []
