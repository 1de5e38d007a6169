"""How the relays are, as the tables say it."""

from db.database import Database
from outbox.connection import own_connection
from outbox.status import fetch_status
from tests.relaying import RecordingPublisher, leading_relay, write_rows


async def test_status_tells_the_window_the_backlog_and_the_holder(database: Database) -> None:
    async with own_connection(database) as connection:
        (idle,) = await fetch_status(connection)
        assert (idle.holder, idle.backlog_rows, idle.age_seconds, idle.refusal) == (None, 0, None, None)
        await write_rows(database, "a", range(1, 6))
        await write_rows(database, "b", [1])
        publisher = RecordingPublisher(refuse=lambda record: record.key == b"b")
        async with leading_relay(database, publisher, page_rows=2) as relay:
            await relay.relay_batch()
            (amid,) = await fetch_status(connection)
            assert (amid.backlog_rows, amid.held_rows, amid.holds) == (4, 0, 0)
            assert amid.current is not None
            assert amid.high is not None
            assert amid.position < amid.high
            assert amid.holder is not None
            assert amid.lease_epoch == amid.epoch == 1
            assert amid.age_seconds is not None
            await write_rows(database, "a", [6])
            assert (await fetch_status(connection))[0].backlog_rows == 5
            while await relay.relay_batch():
                pass
            (done,) = await fetch_status(connection)
            assert (done.current, done.backlog_rows, done.held_rows, done.holds) == (None, 0, 1, 1)
