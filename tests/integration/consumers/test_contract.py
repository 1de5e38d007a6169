"""What a command says of itself, through one transaction: who may send it, where its outcome goes, whence it came."""

import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from consumers import dead_letters
from consumers.permissions import Permissions
from db.database import Database
from tests import making
from tests.applying import TOPICS, Bench
from tests.making import NOON, SOURCE, FakeRecord, new_id, record, structured

ORIGIN = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"
REPLIES = "shop.outcomes"
REPLY_TO = {"replyto": REPLIES}
EVERY_COLUMN = (
    "SELECT event_id, key, type, source, time, recorded_at, correlation_id, causation_id, dataschema, content_type,"
    " body"
    " FROM outbox WHERE topic = :topic ORDER BY position"
)


@pytest_asyncio.fixture
async def database(module_database_url) -> AsyncIterator[Database]:
    """One database for all of these, emptied each time: that is much faster."""
    built = Database(url=module_database_url)
    async with built.transaction() as session:
        await session.execute(text("TRUNCATE users, squads, inbox, outbox, dead_letters, checkpoints CASCADE"))
    yield built
    await built.close()


@pytest.fixture
def bench(database) -> Bench:
    return Bench(database, replies=[REPLIES])


async def test_same_command_in_both_content_modes_has_one_effect_and_one_outcome(bench):
    first, second = making.register_user(), making.register_user()

    counts = await bench.apply(
        structured(first, command_id="1"),
        record(first, command_id="1"),
        record(second, command_id="2"),
        structured(second, command_id="2"),
    )
    conflict = await bench.apply(structured(making.register_user(), command_id="1"))

    assert counts == Counter({"applied": 2, "duplicate": 2, "event": 2, "outcome": 4})
    assert conflict == Counter({"dead letter: id-conflict": 1})
    bodies = [each["body"] for each in await bench.outbox(TOPICS.outcomes)]
    assert bodies[0] == bodies[1]
    assert bodies[2] == bodies[3]


async def test_structured_record_that_cannot_be_read_is_kept_whole(bench):
    bad = structured(making.register_user(), command_id="1", alist=[1])

    assert await bench.apply(bad) == Counter({"dead letter: unreadable": 1})

    assert await bench.rows("SELECT value, source FROM dead_letters") == [(bad.value, None)]


async def test_outcome_goes_to_the_topic_that_the_command_names_too_and_is_the_same_message(bench):
    user_id = new_id()
    wrong_key = record(making.register_user(), command_id="3", extensions=REPLY_TO)
    wrong_key.key = b"elsewhere"

    counts = await bench.apply(
        record(making.register_user(user_id), command_id="1", extensions=REPLY_TO),
        record(making.register_user(user_id), command_id="2", extensions=REPLY_TO),
        wrong_key,
        record(making.register_user(), command_id="4", extensions=REPLY_TO | {"expirytime": "2000-01-01T00:00:00Z"}),
        record(making.register_user(), command_id="5"),
    )

    assert (counts["outcome"], counts["reply"]) == (5, 4)
    outcomes = await bench.rows(EVERY_COLUMN, topic=TOPICS.outcomes)
    replies = await bench.rows(EVERY_COLUMN, topic=REPLIES)
    assert replies == outcomes[:4]
    assert [json.loads(row[-1])["outcome"] for row in replies] == ["applied", "rejected", "dead-lettered", "expired"]


async def test_duplicate_is_answered_where_the_first_wanted_it_whatever_the_retry_says(bench):
    with_reply, without = making.register_user(), making.register_user()
    await bench.apply(
        record(with_reply, command_id="1", extensions=REPLY_TO),
        record(with_reply, command_id="1"),
        record(without, command_id="2"),
    )
    await bench.apply(record(with_reply, command_id="1"), record(without, command_id="2", extensions=REPLY_TO))

    replies = await bench.rows(EVERY_COLUMN, topic=REPLIES)
    assert len(replies) == 3
    assert len(set(replies)) == 1
    assert {row[7] for row in replies} == {"1"}


async def test_outcome_never_goes_to_a_topic_that_is_not_listed(bench):
    bad = record(making.register_user(), command_id="1", extensions={"replyto": "squad.commands"})

    counts = await bench.apply(bad)
    again = await bench.apply(bad)

    assert counts == Counter({"dead letter: reply-forbidden": 1, "outcome": 1})
    assert again == Counter({"duplicate": 1, "outcome": 1})
    assert {row[0] for row in await bench.rows("SELECT topic FROM outbox")} == {TOPICS.outcomes, TOPICS.dead_letters}
    [outcome, _] = await bench.outcomes()
    assert (outcome["outcome"], outcome["code"], outcome["final"]) == ("dead-lettered", "reply-forbidden", False)
    assert await bench.rows("SELECT reply_to FROM inbox") == [(None,)]


async def test_topic_that_is_no_longer_listed_gets_no_repeats(bench):
    command = making.register_user()
    await bench.apply(record(command, command_id="1", extensions=REPLY_TO))
    later = Bench(bench.database)
    later.next_offsets = bench.next_offsets

    assert await later.apply(record(command, command_id="1")) == Counter({"duplicate": 1, "outcome": 1})

    assert len(await bench.rows(EVERY_COLUMN, topic=REPLIES)) == 1


async def test_retry_is_known_again_whatever_topic_it_names(bench):
    command = making.register_user()
    await bench.apply(record(command, command_id="1"))

    counts = await bench.apply(structured(command, command_id="1", replyto="elsewhere"))

    assert counts == Counter({"duplicate": 1, "outcome": 1})


async def test_forbidden_topic_gets_nothing_even_if_the_data_is_at_fault_too(bench):
    bad = record(making.register_user(), command_id="1", extensions={"replyto": "elsewhere"})
    bad.value = b"{}"

    assert await bench.apply(bad) == Counter({"dead letter: invalid-data": 1, "outcome": 1})

    assert await bench.rows("SELECT reply_to FROM inbox") == [(None,)]


async def test_correlation_and_causation_are_on_every_event_and_outcome(bench):
    user_id, squad_id = new_id(), new_id()
    given = {"correlationid": "conversation", "causationid": "what-caused-it", "recordedtime": "2026-05-04T12:00:00Z"}

    await bench.apply(
        record(making.register_user(user_id), command_id="1", extensions=given),
        record(making.create_squad(user_id, squad_id), command_id="2", extensions=given),
        record(making.create_squad(user_id, squad_id), command_id="3", extensions=given),
        record(making.create_project(squad_id), command_id="4"),
    )

    told = await bench.rows("SELECT topic, correlation_id, causation_id FROM outbox ORDER BY position")
    assert told == [
        (TOPICS.events, "conversation", "1"),
        (TOPICS.outcomes, "conversation", "1"),
        (TOPICS.events, "conversation", "2"),
        (TOPICS.outcomes, "conversation", "2"),
        (TOPICS.outcomes, "conversation", "3"),
        (TOPICS.events, "4", "4"),
        (TOPICS.outcomes, "4", "4"),
    ]


async def test_recorded_time_is_ours_and_not_the_commands(bench):
    await bench.apply(record(making.register_user(), extensions={"recordedtime": "2001-01-01T00:00:00Z"}))

    [(recorded_at, time)] = await bench.rows("SELECT DISTINCT recorded_at, time FROM outbox")
    assert recorded_at.year >= 2026
    assert time == NOON


async def test_trace_of_the_origin_is_kept_with_events(bench):
    trace = {"traceparent": ORIGIN, "tracestate": "rojo=1,congo=2"}
    malformed = {"traceparent": "not a trace", "tracestate": "rojo=1"}

    counts = await bench.apply(
        record(making.register_user(), extensions=trace),
        record(making.register_user(), extensions=malformed),
        record(making.register_user(), extensions={"traceparent": ORIGIN}),
    )

    assert counts["applied"] == 3
    assert await bench.rows(
        "SELECT traceparent, extensions FROM outbox WHERE topic = :topic ORDER BY position", topic=TOPICS.events
    ) == [(ORIGIN, {"tracestate": "rojo=1,congo=2"}), (None, None), (ORIGIN, None)]


async def test_source_sends_only_what_it_is_bound_to(database):
    bench = Bench(database, permissions=Permissions(sources={SOURCE: ["user.*"], "/shop": ["squad.*"]}))
    user_id = new_id()

    counts = await bench.apply(
        record(making.register_user(user_id)),
        record(making.create_squad(user_id)),
        record(making.create_squad(user_id), source="/shop"),
        record(making.register_user(), source="/shop"),
        record(making.register_user(), source="/else"),
    )

    assert counts == Counter({"applied": 2, "event": 2, "outcome": 2, "dead letter: source-forbidden": 3})
    assert await bench.rows("SELECT DISTINCT source, command_id FROM dead_letters") == [(None, None)]


async def test_outcomes_tell_nothing_personal(bench):
    secret = "ada.lovelace@example.org"
    user_id = new_id()
    malformed = record(making.register_user(), command_id="bad")
    malformed.value = json.dumps({"user_id": secret, "email": 1, "name": [secret], "plan": secret}).encode()
    broken = record(making.register_user(), command_id="broken")
    broken.value = b'{"email": "' + secret.encode()

    await bench.apply(
        record(making.register_user(user_id, secret, secret)),
        record(making.register_user(user_id, secret, secret)),
        record(making.register_user(new_id(), secret.upper(), secret)),
        record(making.register_user(user_id, secret, secret), extensions={"expectedversion": "7"}),
        malformed,
        broken,
    )

    published = await bench.rows("SELECT body FROM outbox WHERE topic <> :topic", topic=TOPICS.dead_letters)
    details = await bench.rows("SELECT detail FROM dead_letters")
    assert len(published) == 7
    assert all(b"lovelace" not in body.lower() for (body,) in published)
    assert all("lovelace" not in detail.lower() for (detail,) in details)


@pytest.mark.parametrize("part", ["key", "value", "headers"])
async def test_dead_letter_that_is_larger_than_the_database_takes_is_kept_in_part(bench, monkeypatch, part):
    monkeypatch.setattr(dead_letters, "KEPT_BYTES", 4_000)
    large = b"x" * 5_000
    bad = FakeRecord(key=b"k", value=b"v", headers=[("h", b"")])
    setattr(bad, part, large if part != "headers" else [("h", large)])

    await bench.apply(bad)

    [(size, detail)] = await bench.rows(
        "SELECT length(key) + length(value) + coalesce(sum(length(h)), 0), detail"
        " FROM dead_letters LEFT JOIN LATERAL unnest(header_values) h ON true GROUP BY key, value, detail"
    )
    assert size < 2_500
    assert "bytes only some are kept" in detail
