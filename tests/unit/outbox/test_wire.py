"""The headers of published records, as the CloudEvents Kafka binding has them."""

from typing import Any

from outbox import wire
from tests.making import read_row

COLUMNS = [
    "position",
    "topic",
    "key",
    "event_id",
    "type",
    "source",
    "time",
    "sequence",
    "correlation_id",
    "causation_id",
    "traceparent",
    "dataschema",
    "recorded_at",
    "content_type",
    "extensions",
    "header_names",
    "header_values",
    "body",
]


def record(**given: Any) -> wire.Record:
    row = {
        "position": 7,
        "topic": "squad.events",
        "key": b"0191d5c0-7000-7000-8000-000000000001",
        "event_id": "6f1c7a52-5f0e-5d7e-9d5e-3f1f6a0c2b11",
        "type": "squad.task-created.v1",
        "source": "/agent-squad",
        "time": "2026-05-04T12:00:00.000000Z",
        "recorded_at": "2026-05-04T12:00:01.500000Z",
        "body": b'{"title":"Task"}',
        **given,
    }
    return wire.wrap([read_row([row.get(name) for name in COLUMNS])])[0]


def test_record_of_an_event_carries_every_attribute_as_a_header() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    event = record(
        sequence=42,
        correlation_id="c-1",
        causation_id="c-2",
        traceparent=trace,
        dataschema="https://example.org/task-created.json",
        content_type="application/json",
        extensions='{"replayid": "r-1", "replaycount": 2}',
    )

    assert event[:4] == (7, "squad.events", b"0191d5c0-7000-7000-8000-000000000001", b'{"title":"Task"}')
    assert event.headers() == [
        ("ce_id", b"6f1c7a52-5f0e-5d7e-9d5e-3f1f6a0c2b11"),
        ("ce_time", b"2026-05-04T12:00:00.000000Z"),
        ("ce_recordedtime", b"2026-05-04T12:00:01.500000Z"),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"squad.task-created.v1"),
        ("ce_source", b"/agent-squad"),
        ("ce_dataschema", b"https://example.org/task-created.json"),
        ("content-type", b"application/json"),
        ("ce_subject", b"0191d5c0-7000-7000-8000-000000000001"),
        ("ce_partitionkey", b"0191d5c0-7000-7000-8000-000000000001"),
        ("ce_sequence", b"0000000000000000042"),
        ("ce_correlationid", b"c-1"),
        ("ce_causationid", b"c-2"),
        ("ce_traceparent", trace.encode()),
        ("traceparent", trace.encode()),
        ("ce_replaycount", b"2"),
        ("ce_replayid", b"r-1"),
    ]


def test_absent_attributes_leave_no_headers() -> None:
    assert [name for name, _ in record(key=None).headers()] == [
        "ce_id",
        "ce_time",
        "ce_recordedtime",
        "ce_specversion",
        "ce_type",
        "ce_source",
    ]


def test_record_with_headers_of_its_own_is_sent_with_exactly_those() -> None:
    dead_letter = record(header_names=["b", "a", "b"], header_values=[b"\xff", None, b""], sequence=1)
    assert dead_letter.headers() == [("b", b"\xff"), ("a", None), ("b", b"")]


def test_record_with_an_empty_list_of_headers_is_sent_without_any() -> None:
    assert record(header_names=[], header_values=[]).headers() == []
