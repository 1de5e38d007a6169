"""The CloudEvents binding, held against the official Python SDK where that follows the text, and where it departs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.bindings.kafka import KafkaMessage
from cloudevents.core.v1.event import CloudEvent

from messages import codec
from messages.codec import Limits
from messages.envelope import Envelope
from messages.registry import COMMANDS, EVENTS, OUTCOME
from outbox import wire
from tests import making
from tests.contracts.examples import EXAMPLES
from tests.making import NOON, FakeRecord

WRITTEN = [*EVENTS.values(), OUTCOME]
KEY = b"0191d5a0-0000-7000-8000-000000000003"
EVENT_ID = "6f1c7a52-5f0e-5d7e-9d5e-3f1f6a0c2b11"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"


def published(name: str) -> wire.Record:
    """Give an example as the relay publishes it."""
    message = {each.name: each for each in WRITTEN}[name]
    body = message.encode(EXAMPLES[name])
    attributes = (EVENT_ID, name, "/agent-squad", "2026-05-04T12:00:00.000000Z", 42, "grüße", "1")
    more = (TRACE, message.dataschema, "2026-05-04T12:00:01.500000Z", "application/json", '{"tracestate": "a=1"}')
    [record] = wire.wrap([making.read_row((7, "squad.events", KEY, *attributes, *more, None, None, body))])
    return record


def command_event(name: str, **changes: Any) -> CloudEvent:
    """Give a command as a user of the SDK makes it."""
    attributes = {
        "id": "42",
        "source": "/tests",
        "type": name,
        "time": NOON,
        "datacontenttype": "application/json",
        "expectedversion": "7",
        "correlationid": "grüße",
        **changes,
    }
    return CloudEvent(attributes, json.loads(COMMANDS[name].encode(EXAMPLES[name])))


def as_message(record: Any) -> KafkaMessage:
    """Give a record as the SDK has it; it knows no absent value."""
    headers: Any = record.headers() if isinstance(record, wire.Record) else record.headers
    return KafkaMessage(headers=dict(headers), key=record.key, value=record.value)


def read(message: KafkaMessage) -> tuple[Envelope, Any, bytes]:
    """Give what our codec makes of a record that the SDK wrote."""
    envelope, content, data = codec.read(list(message.headers.items()), message.value, Limits())
    command = codec.decode(envelope, content, data, Limits())
    return envelope, command, codec.hash_command(envelope, command)


@pytest.mark.parametrize("name", [message.name for message in WRITTEN])
def test_what_we_publish_is_read_by_the_sdk(name):
    record = published(name)

    event = kafka.from_binary_event(as_message(record))

    told = event.get_attributes()
    assert {name: told[name] for name in ("id", "source", "type", "specversion", "subject", "partitionkey")} == {
        "id": EVENT_ID,
        "source": "/agent-squad",
        "type": name,
        "specversion": "1.0",
        "subject": KEY.decode(),
        "partitionkey": KEY.decode(),
    }
    assert told["time"] == datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert (told["correlationid"], told["causationid"], told["sequence"]) == ("grüße", "1", f"{42:019}")
    assert (told["traceparent"], told["tracestate"]) == (TRACE, "a=1")
    assert told["datacontenttype"] == "application/json"
    assert told["recordedtime"] == "2026-05-04T12:00:01.500000Z"
    assert event.get_data() == json.loads(record.value or b"")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_sdk_sends_in_either_mode_is_the_command_that_we_send(name):
    event = command_event(name)
    ours = making.record(EXAMPLES[name], command_id="42", extensions={"expectedversion": "7", "correlationid": "grüße"})

    in_binary, in_structured = read(kafka.to_binary_event(event)), read(kafka.to_structured_event(event))

    assert in_binary == in_structured == read(as_message(ours))
    assert in_binary[1] == EXAMPLES[name]
    assert (in_binary[0].correlation_id, in_binary[0].expected_version) == ("grüße", 7)


def test_records_key_changes_nothing_of_the_command():
    record = making.record(EXAMPLES["squad.create.v1"], command_id="42")

    for key in (None, b"", b"\xff", record.key):
        message = FakeRecord(key=key, value=record.value, headers=record.headers)
        assert codec.read(message.headers, message.value, Limits()) == codec.read(
            record.headers, record.value, Limits()
        )


def test_attributes_of_a_command_are_those_that_were_given():
    record = making.record(EXAMPLES["squad.create.v1"], command_id="42", extensions={"partitionkey": "another"})

    assert record.key == EXAMPLES["squad.create.v1"].stream_id.encode()
    record.key = None
    event = kafka.from_binary_event(as_message(record))

    assert event.get_attributes().keys() == {
        *("specversion", "id", "source", "type", "time", "subject", "dataschema", "datacontenttype", "partitionkey"),
    }
    assert event.get_extension("partitionkey") == "another"


def test_every_dataschema_is_an_absolute_uri_and_every_type_is_named():
    for message in (*COMMANDS.values(), *WRITTEN):
        assert message.dataschema.startswith("urn:agent-squad:schema:")
        assert message.name


def test_sdk_tells_the_mode_by_other_headers_than_the_text_does():
    message = kafka.to_structured_event(command_event("squad.create.v1"))
    with_header = KafkaMessage({**message.headers, "ce_id": b"43"}, None, message.value)

    assert read(with_header)[0].id == "42", "the content-type decides (binding, 3)"
    with pytest.raises(Exception, match="source"):
        kafka.from_kafka_event(with_header)


def test_sdk_makes_the_key_an_attribute():
    message = kafka.to_structured_event(command_event("squad.create.v1"))
    keyed = KafkaMessage(message.headers, b"key", message.value)

    assert kafka.from_kafka_event(keyed).get_extension("partitionkey") == "key"


def test_sdk_fails_on_null_headers_and_on_keys_that_are_no_text():
    binary = kafka.to_binary_event(command_event("squad.create.v1"))
    null: Any = {**binary.headers, "ce_subject": None}

    assert read(KafkaMessage(null, b"\xff", binary.value)) == read(binary)
    with pytest.raises(AttributeError):
        kafka.from_kafka_event(KafkaMessage(null, None, binary.value))
    with pytest.raises(UnicodeDecodeError):
        kafka.from_kafka_event(KafkaMessage(binary.headers, b"\xff", binary.value))


def test_sdk_writes_a_list_as_python_does():
    attributes = {"id": "1", "source": "/s", "type": "t", "datacontenttype": "application/json"}
    data: Any = ["x"]

    assert kafka.to_binary_event(CloudEvent(attributes, data)).value == b"['x']"
