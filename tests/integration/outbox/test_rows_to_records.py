"""A row's way from `append` through the table to a record, with every column that there is."""

from db.database import Database
from outbox.append import Outbox, Row, row
from outbox.wire import Record
from tests.making import NOON_MICROSECONDS
from tests.relaying import RecordingPublisher, execute, leading_relay

EVENT_ID = "6f1c7a52-5f0e-5d7e-9d5e-3f1f6a0c2b11"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def relay_one(database: Database, message: Row) -> Record:
    outbox = Outbox()
    outbox.append(message)
    async with database.transaction() as session:
        await outbox.write(session)
    publisher = RecordingPublisher()
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
    [record] = publisher.records
    return record


async def test_every_attribute_of_an_event_reaches_its_header(database: Database) -> None:
    message = row(
        topic="squad.events",
        key=b"the-key",
        event_id=EVENT_ID,
        type="squad.task-created.v1",
        source="/agent-squad",
        time_microseconds=NOON_MICROSECONDS + 30 * 60 * 1_000_000 + 120_000,
        recorded_microseconds=NOON_MICROSECONDS + 30 * 60 * 1_000_000 + 1_500_000,
        sequence=42,
        correlation_id="correlation",
        causation_id="causation",
        traceparent=TRACE,
        extensions='{"tracestate": "rojo=1"}',
        dataschema="https://example.org/schema.json",
        content_type="application/json",
        body=b"\x00body",
    )
    # Whatever the server speaks, the wire has RFC 3339 in UTC.
    await execute(
        database,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Kolkata'); END $$",
    )
    await database.close()

    record = await relay_one(database, message)

    assert (record.topic, record.key, record.value) == ("squad.events", b"the-key", b"\x00body")
    assert dict(record.headers()) == {
        "ce_id": EVENT_ID.encode(),
        "ce_time": b"2026-05-04T12:30:00.120000Z",
        "ce_specversion": b"1.0",
        "ce_type": b"squad.task-created.v1",
        "ce_source": b"/agent-squad",
        "ce_dataschema": b"https://example.org/schema.json",
        "content-type": b"application/json",
        "ce_subject": b"the-key",
        "ce_partitionkey": b"the-key",
        "ce_sequence": b"0000000000000000042",
        "ce_correlationid": b"correlation",
        "ce_causationid": b"causation",
        "ce_recordedtime": b"2026-05-04T12:30:01.500000Z",
        "ce_traceparent": TRACE.encode(),
        "traceparent": TRACE.encode(),
        "ce_tracestate": b"rojo=1",
        "tracestate": b"rojo=1",
    }


async def test_dead_letter_keeps_its_own_headers_byte_for_byte(database: Database) -> None:
    headers = [("reason", b"too-large"), ('odd {,"\\ name', b"\xff\x00\\"), ("nothing", None), ("nothing", b"")]
    message = row(
        topic="squad.dead-letters",
        key=b"\xff\x00",
        event_id=EVENT_ID,
        type="squad.dead-letter.v1",
        source="/agent-squad",
        time_microseconds=NOON_MICROSECONDS,
        headers=headers,
        body=None,
    )

    record = await relay_one(database, message)

    assert record[1:4] == ("squad.dead-letters", b"\xff\x00", None)
    assert record.headers() == headers
