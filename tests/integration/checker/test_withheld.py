"""The checker knows which outbox rows are not on their topics, from the tables that the relay and operators write."""

from checker.tables import read_tables
from db.database import Database
from outbox import hold_requests
from outbox.settling import RefusalPolicy
from tests.applying import GROUP
from tests.making import TOPIC
from tests.relaying import RecordingPublisher, fetch_rows, leading_relay, write_rows


async def test_held_skipped_and_diverted_rows_are_told_apart(database: Database) -> None:
    publisher = RecordingPublisher(refuse=lambda record: record.topic != "letters")
    for way, key in (("hold", "a"), ("skip", "b"), ("divert", "c"), *(("hold", key) for key in "defg")):
        await write_rows(database, key, [1])
        policy = RefusalPolicy(way=way, dead_letters_topic="letters")  # type: ignore[arg-type] # one of the three
        async with leading_relay(database, publisher, refusals=policy) as relay:
            await relay.pass_once()
    rows = {row.key: row.position for row in await fetch_rows(database, "SELECT key, position FROM outbox")}
    async with database.transaction() as session:
        await hold_requests.request_skip(session, position=rows[b"d"], reason="so", release_others=False)
        await hold_requests.request_divert(session, position=rows[b"e"], reason="so", release_others=False)
        for request in (hold_requests.request_divert, hold_requests.request_skip):
            await request(session, position=rows[b"f"], reason="so", release_others=False)
    async with leading_relay(database, publisher, refusals=RefusalPolicy(dead_letters_topic="letters")) as relay:
        for _ in range(3):
            await relay.pass_once()
    async with database.transaction() as session:
        await hold_requests.request_divert(session, position=rows[b"g"], reason="not done yet", release_others=False)

    tables = await read_tables(database.engine, group=GROUP, commands_topic=TOPIC)

    assert tables.held == {rows[b"a"], rows[b"g"]}
    assert tables.skipped == {rows[b"b"], rows[b"d"], rows[b"f"]}
    assert tables.diverted == {rows[b"c"], rows[b"e"]}
