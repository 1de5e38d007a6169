"""What a command says of itself, from Kafka to Kafka: both content modes, conditions, replies, sources, the trace."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from functools import partial

import pytest
import pytest_asyncio

from app import broker, topic_logs
from app.broker import TopicError
from app.demo.ground import scene_of
from app.settings import Settings
from checker.evidence import TopicDump, TopicRecord
from checker.gathering import gather
from checker.history import History
from checker.judge import judge
from tests import making
from tests.acceptance.conftest import eventually, running
from tests.making import SOURCE, FakeRecord, new_id, structured

ORIGIN = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"
HOP = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = {"traceparent": ORIGIN, "tracestate": "rojo=1"}


@pytest_asyncio.fixture
async def answering(settings: Settings):
    """Settings with a topic to reply to and bound sources, whose topics exist."""
    bound = {
        "reply_topics": (f"{settings.topic_prefix}shop",),
        "command_sources": {SOURCE: ("*",), "/shop": ("squad.*",)},
    }
    own = settings.model_copy(update=bound)
    own.model_fields_set.update(bound)
    await broker.create_topics(own)
    yield own
    await broker.delete_topics(own)


async def produce(settings: Settings, records: list[FakeRecord]) -> History:
    """Send records, and keep their history for the checker."""
    history = History()
    async with broker.open_producer(settings) as producer:
        for each in records:
            number = history.invoke(
                kind="any", source=None, id=None, key=each.key, expected="any", intended_at=making.NOON.timestamp()
            )
            place = await producer.send_and_wait(
                settings.topic("commands"), each.value, key=each.key, headers=list(each.headers)
            )
            history.ok(number, place.partition, place.offset)
    return history


def headers_by_cause(topic: TopicDump) -> dict[str, dict[str, str]]:
    """Give the headers of each message by the id of the command that caused it."""

    def headers(each: TopicRecord) -> dict[str, str]:
        return {name: (value or b"").decode() for name, value in each.headers}

    return {each.header("ce_causationid") or "": headers(each) for each in topic.records}


async def test_what_commands_say_of_themselves_reaches_the_wire(answering, database):
    user_id, squad_id, [shop] = new_id(), new_id(), answering.reply_topics
    register = making.register_user(user_id, "ada@example.org", "Ada")
    conversation = {"correlationid": "conversation", "causationid": "before", "recordedtime": "2026-05-04T12:00:00Z"}
    now = datetime.now(UTC)
    record = partial(making.record, time=now)
    hopping = record(making.register_user(), command_id="hop")
    hopping.headers = [*hopping.headers, ("traceparent", HOP.encode())]
    history = await produce(
        answering,
        [
            structured(register, command_id="1", time=now, replyto=shop, expectedversion=0, **conversation, **TRACE),
            record(register, command_id="1"),
            record(making.register_user(user_id), command_id="2", extensions={"expectedversion": "7", "replyto": shop}),
            record(making.register_user(), command_id="3", extensions={"expirytime": "2020-01-01T00:00:00Z"}),
            record(making.register_user(), command_id="4", extensions={"replyto": answering.topic("commands")}),
            record(making.register_user(), command_id="5", source="/shop"),
            record(making.register_user(), command_id="6", extensions={"traceparent": "no trace", "tracestate": "a=1"}),
            record(making.create_squad(new_id(), squad_id), command_id="7", source="/shop", extensions=conversation),
            hopping,
        ],
    )

    async def published() -> bool:
        ends = [await topic_logs.end_offsets(answering, answering.topic(name)) for name in ("outcomes", "dead-letters")]
        return [sum(each.values()) for each in ends] == [8, 2]

    with running(answering, "run"):
        await eventually("all is published", published)
    evidence = await gather(scene_of(answering), history.attempts)

    events, outcomes = headers_by_cause(evidence.events), headers_by_cause(evidence.outcomes)
    [replies] = evidence.replies
    told = {each["id"]: each for each in (json.loads(answer.value or b"") for answer in evidence.outcomes.records)}
    assert {command_id: each["code"] or each["outcome"] for command_id, each in told.items()} == {
        "1": "applied",
        "2": "version-mismatch",
        "3": "expired",
        "4": "reply-forbidden",
        "6": "applied",
        "7": "user-not-found",
        "hop": "applied",
    }
    assert Counter(each.header("ce_causationid") for each in replies.records) == {"1": 2, "2": 1}
    assert {each.header("dead-letter-reason") for each in evidence.dead_letters.records} == {
        "reply-forbidden",
        "source-forbidden",
    }
    for messages, command_id in ((events, "1"), (outcomes, "1"), (outcomes, "7")):
        assert messages[command_id]["ce_correlationid"] == "conversation"
        assert messages[command_id]["ce_recordedtime"] > "2026-05-04T13"
    assert events["1"]["ce_partitionkey"] == events["1"]["ce_subject"] == user_id
    trace = ("ce_traceparent", "ce_tracestate", "traceparent", "tracestate")
    assert [events["1"][name] for name in trace] == [ORIGIN, "rojo=1", ORIGIN, "rojo=1"]
    assert [events["6"].get(name) for name in trace] == [None] * 4
    assert [events["hop"].get(name) for name in trace] == [HOP, None, HOP, None]
    faults = [finding for finding in judge(evidence).findings if "foresaw" not in finding.invariant]
    assert faults == []

    with running(answering, "outcomes", "tail", "--from-beginning", "--to-end", "--unmasked", "--json") as tail:
        code, printed = await asyncio.to_thread(tail.finish)
    assert (code, len(printed.splitlines())) == (0, 8)


@pytest.mark.real_kafka("topics that are missing")
async def test_service_does_not_start_without_the_topics_to_reply_to(answering):
    missing = f"{answering.topic_prefix}nowhere"

    with pytest.raises(TopicError, match=f"topic {missing} does not exist"):
        await broker.check_topics(answering.model_copy(update={"reply_topics": (missing,)}))
