"""Records that no command can be made of: kept, published with their reason, and answered where somebody can be."""

from collections import Counter

import pytest

from app.settings import DEAD_LETTER_EXTRA_BYTES
from consumers.permissions import Permissions
from consumers.records import EPOCH
from tests import making
from tests.applying import TOPICS, Bench
from tests.making import new_id, record


async def test_unreadable_record_is_kept_whole_and_published_with_its_reason(bench):
    bad = making.FakeRecord(key=b"\xff\x00", value=b"\x00garbage", headers=[("n\0ame", None), ("other", b"\x00\xff")])

    counts = await bench.apply(bad)

    assert counts == Counter({"dead letter: unreadable": 1})
    assert await bench.rows(
        "SELECT key, value, header_names, header_values, reason, source, command_id, state FROM dead_letters"
    ) == [(b"\xff\x00", b"\x00garbage", ["n\ufffdame", "other"], [None, b"\x00\xff"], "unreadable", None, None, "open")]
    [(key, body, names, values)] = await bench.rows("SELECT key, body, header_names, header_values FROM outbox")
    published = dict(zip(names, values, strict=True))
    assert (key, body) == (b"\xff\x00", b"\x00garbage")
    assert (published["dead-letter-reason"], published["dead-letter-offset"]) == (b"unreadable", b"0")
    assert published["other"] == b"\x00\xff"


async def test_refused_record_whose_sender_is_known_gets_an_outcome_that_is_not_final(bench):
    wrong_key = record(making.register_user(), command_id="1")
    wrong_key.key = new_id().encode()

    counts = await bench.apply(wrong_key)
    again = await bench.apply(wrong_key)

    assert counts == Counter({"dead letter: key-mismatch": 1, "outcome": 1})
    assert again == Counter({"duplicate": 1, "outcome": 1})
    for outcome in await bench.outcomes():
        assert (outcome["outcome"], outcome["code"], outcome["final"]) == ("dead-lettered", "key-mismatch", False)
    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]


async def test_invalid_data_is_told_by_field(bench):
    bad = record(making.register_user(), command_id="1")
    bad.value = b'{"user_id": "x", "email": 1}'

    await bench.apply(bad)

    [outcome] = await bench.outcomes()
    assert outcome["code"] == "invalid-data"
    assert set(outcome["errors"]) == {"user_id", "email", "name"}


async def test_forged_source_is_dead_lettered_without_an_answer(database):
    bench = Bench(database, permissions=Permissions(sources=["/shop"]))

    counts = await bench.apply(record(making.register_user()), record(making.register_user(), source="/shop"))

    assert counts == Counter({"dead letter: source-forbidden": 1, "applied": 1, "event": 1, "outcome": 1})


async def test_large_dead_letter_is_cut_on_the_topic_and_whole_in_the_table(bench):
    big = making.FakeRecord(key=b"k" * 5000, value=b"v" * 2_000_000, headers=[("h", b"x" * 950_000)])

    await bench.apply(big)

    published = await bench.rows(
        "SELECT length(body) + (SELECT sum(length(value)) FROM unnest(header_values) AS value) FROM outbox"
    )
    assert published[0][0] < TOPICS.dead_letter_bytes + DEAD_LETTER_EXTRA_BYTES

    assert await bench.rows("SELECT reason, length(value), length(key) FROM dead_letters") == [
        ("too-large", 2_000_000, 5000)
    ]
    [(key, length, names)] = await bench.rows("SELECT key, length(body), header_names FROM outbox")
    assert (key, length) == (None, TOPICS.dead_letter_bytes)
    assert {"dead-letter-cut-from-bytes", "dead-letter-headers-left-out", "dead-letter-key-left-out-bytes"} <= {*names}


async def test_dead_letter_fits_a_kafka_batch_whatever_its_headers_and_value_share(bench):
    headers = [("h", b"x" * 200_000)]
    for value in (b"v" * 700_000, b"v" * 900_000):
        await bench.apply(making.FakeRecord(key=b"", value=value, headers=headers))

    sizes = await bench.rows(
        "SELECT length(body) + (SELECT sum(length(value)) FROM unnest(header_values) AS value) FROM outbox"
    )
    assert all(size < TOPICS.dead_letter_bytes + DEAD_LETTER_EXTRA_BYTES for (size,) in sizes)
    assert sizes[0][0] > 900_000, "what fits is not cut"


@pytest.mark.parametrize("key", [b"k" * 400_000, b"\xff", b"no id", None])
async def test_outcome_of_a_record_whose_key_is_no_id_has_no_key(bench, key):
    wrong = record(making.register_user(), command_id="1")
    wrong.key = key

    await bench.apply(wrong, record(making.register_user()))

    assert await bench.rows(
        "SELECT key FROM outbox WHERE topic = :topic AND causation_id = '1'", topic=TOPICS.outcomes
    ) == [(None,)]
    assert await bench.rows("SELECT key, length(key) FROM inbox WHERE command_id = '1'") == [("", 0)]


@pytest.mark.parametrize("header", ["ce_replyto", "ce_correlationid"])
async def test_attribute_that_cannot_be_stored_is_a_dead_letter_and_stops_nothing(bench, header):
    bad = record(making.register_user())
    bad.headers = [*bad.headers, (header, b"a\0b")]

    counts = await bench.apply(bad, record(making.register_user()))

    assert counts["dead letter: unreadable"] == 1
    assert counts["applied"] == 1


@pytest.mark.parametrize("timestamp", [-1, 2**62])
async def test_timestamp_that_no_calendar_has_counts_as_the_epoch(bench, timestamp):
    odd = record(making.register_user(), timestamp=timestamp, time=EPOCH)

    assert (await bench.apply(odd))["applied"] == 1

    assert (await bench.rows("SELECT extract(year FROM decided_at)::int FROM inbox"))[0][0] in (1969, 1970)
