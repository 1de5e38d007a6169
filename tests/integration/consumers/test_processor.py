"""One batch, one transaction: state, inbox, outbox and checkpoint agree."""

from collections import Counter
from datetime import timedelta

from consumers import checkpoints
from consumers.records import Partition
from messages import ids
from tests import making
from tests.applying import GROUP, TOPICS, StatementCounter
from tests.good_commands import mixed_commands
from tests.making import NOON, SOURCE, new_id, record


async def test_command_becomes_row_event_outcome_and_checkpoint(bench):
    user_id = new_id()

    counts = await bench.apply(
        record(
            making.register_user(user_id, "Ada@Example.org", "Ada"), command_id="1", extensions={"correlationid": "c"}
        )
    )

    assert counts == Counter({"applied": 1, "event": 1, "outcome": 1})
    assert await bench.rows("SELECT id::text, email, email_key, name, version FROM users") == [
        (user_id, "Ada@Example.org", "ada@example.org", "Ada", 1)
    ]
    [event] = await bench.outbox()
    assert event | {"body": None} == {
        "id": ids.CommandIds(SOURCE, "1").event(0),
        "key": user_id,
        "type": "user.registered.v1",
        "sequence": 1,
        "causation_id": "1",
        "correlation_id": "c",
        "time": NOON,
        "body": None,
        "data": {"user_id": user_id, "plan_tier": "free", "registered_at": "2026-05-04T12:00:00Z"},
    }
    [outcome] = await bench.outbox(TOPICS.outcomes)
    assert (outcome["id"], outcome["key"]) == (ids.CommandIds(SOURCE, "1").outcome(1), user_id)
    assert outcome["data"] == {
        "source": SOURCE,
        "id": "1",
        "type": "user.register.v1",
        "outcome": "applied",
        "code": None,
        "detail": None,
        "errors": {},
        "retryable": False,
        "final": True,
        "revision": 1,
        "version": 1,
        "event_ids": [event["id"]],
        "refused": {},
        "found": {},
    }
    assert await bench.rows("SELECT next_offset, last_timestamp, last_checksum > 0 FROM checkpoints") == [
        (1, NOON, True)
    ]
    assert await bench.rows("SELECT command_id, outcome, outcome_final, event_ids::text[] FROM inbox") == [
        ("1", "applied", True, [event["id"]])
    ]


async def test_commands_of_one_batch_see_each_other(bench):
    user_id, other, squad_id, project_id, task_id = (new_id() for _ in range(5))

    await bench.apply(
        record(making.register_user(user_id)),
        record(making.register_user(other)),
        record(making.create_squad(user_id, squad_id)),
        record(making.create_project(squad_id, project_id)),
        record(making.create_task(squad_id, project_id, task_id)),
        record(making.complete_task(squad_id, task_id)),
        record(making.transfer(squad_id, other)),
    )

    assert await bench.rows("SELECT user_id::text, version FROM squads") == [(other, 5)]
    assert await bench.rows("SELECT status, completed_at FROM tasks") == [("completed", NOON)]
    of_squad = [each["sequence"] for each in await bench.outbox() if each["key"] == squad_id]
    assert of_squad == [1, 2, 3, 4, 5]


async def test_rejection_is_an_outcome_with_a_code_and_changes_nothing(bench):
    user_id, squad_id = new_id(), new_id()
    await bench.apply(record(making.register_user(user_id)), record(making.create_squad(user_id, squad_id)))

    counts = await bench.apply(record(making.transfer(squad_id, new_id()), command_id="no"))

    assert counts == Counter({"rejected: user-not-found": 1, "outcome": 1})
    outcome = (await bench.outcomes())[-1]
    assert (outcome["outcome"], outcome["code"], outcome["retryable"], outcome["final"]) == (
        "rejected",
        "user-not-found",
        True,
        True,
    )
    assert outcome["version"] == 1
    assert await bench.rows("SELECT version FROM squads") == [(1,)]


async def test_command_that_came_too_late_is_expired_and_changes_nothing(bench):
    late, in_time = "2026-05-04T12:00:01Z", "2999-01-01T00:00:00Z"

    counts = await bench.apply(
        record(making.register_user(), extensions={"expirytime": late}),
        record(making.register_user(), extensions={"expirytime": in_time}),
    )

    assert counts == Counter({"expired": 1, "applied": 1, "event": 1, "outcome": 2})
    first, second = await bench.outcomes()
    assert (first["outcome"], first["code"], first["retryable"], first["event_ids"]) == ("expired", "expired", True, [])
    assert second["outcome"] == "applied"
    assert await bench.rows("SELECT count(*) FROM users") == [(1,)]


async def test_expected_version_must_be_the_streams_own_at_its_place_in_the_batch(bench):
    user_id, squad_id = new_id(), new_id()

    def project(expected: int):
        return record(making.create_project(squad_id), extensions={"expectedversion": str(expected)})

    await bench.apply(
        record(making.register_user(user_id), extensions={"expectedversion": "0"}),
        record(making.create_squad(user_id, squad_id), extensions={"expectedversion": "1"}),
        record(making.create_squad(user_id, squad_id), extensions={"expectedversion": "0"}),
        project(1),
        project(1),
        project(2),
    )

    outcomes = [(each["outcome"], each["code"], each["version"]) for each in await bench.outcomes()]
    assert outcomes == [
        ("applied", None, 1),
        ("rejected", "version-mismatch", None),
        ("applied", None, 1),
        ("applied", None, 2),
        ("rejected", "version-mismatch", 2),
        ("applied", None, 3),
    ]
    assert (await bench.outcomes())[4]["detail"] == "The stream's version is 2, not 1"


async def test_duplicates_in_and_across_batches_have_one_effect_and_the_same_outcome_bytes(bench):
    command, user_id = making.register_user(), new_id()
    again = making.register_user(user_id)

    first = await bench.apply(
        record(command, command_id="1"), record(again, command_id="2"), record(command, command_id="1")
    )
    second = await bench.apply(record(command, command_id="1"))

    assert first == Counter({"applied": 2, "event": 2, "duplicate": 1, "outcome": 3})
    assert second == Counter({"duplicate": 1, "outcome": 1})
    repeats = await bench.rows(
        "SELECT event_id, key, type, source, time, recorded_at, correlation_id, causation_id, dataschema, content_type,"
        " body"
        " FROM outbox WHERE topic = :topic AND causation_id = '1' ORDER BY position",
        topic=TOPICS.outcomes,
    )
    assert len(repeats) == 3
    assert len(set(repeats)) == 1
    assert await bench.rows("SELECT count(*) FROM users") == [(2,)]


async def test_duplicate_of_a_rejection_repeats_it_even_if_it_would_be_applied_now(bench):
    user_id, squad_id = new_id(), new_id()
    too_early = making.create_squad(user_id, squad_id)
    await bench.apply(record(too_early, command_id="1"))

    await bench.apply(record(making.register_user(user_id)), record(too_early, command_id="1"))

    assert [each["outcome"] for each in await bench.outcomes()] == ["rejected", "applied", "rejected"]
    assert await bench.rows("SELECT count(*) FROM squads") == [(0,)]


async def test_same_id_with_other_content_is_dead_lettered_and_the_first_outcome_stands(bench):
    await bench.apply(record(making.register_user(name="Ada"), command_id="1"))
    before = await bench.rows("SELECT * FROM inbox")

    counts = await bench.apply(record(making.register_user(name="Eve"), command_id="1"))

    assert counts == Counter({"dead letter: id-conflict": 1})
    assert await bench.rows("SELECT * FROM inbox") == before
    assert await bench.rows("SELECT reason, command_id FROM dead_letters") == [("id-conflict", "1")]


async def test_partition_read_again_from_the_beginning_changes_nothing_whatever_was_in_it(bench):
    misplaced = record(making.register_user(), command_id="2")
    misplaced.key = new_id().encode()
    records = [
        record(making.register_user(), command_id="1"),
        making.FakeRecord(key=b"k", value=b"\xff"),
        record(making.register_user(), command_id="1"),
        misplaced,
        record(making.register_user(), command_id="3", time=NOON - timedelta(days=30)),
    ]
    first = await bench.apply(*records)
    letters = await bench.rows("SELECT * FROM dead_letters ORDER BY record_offset")
    tables, inbox, _ = await bench.snapshot()
    assert (first["applied"], len(letters)) == (1, 4)

    async with bench.database.transaction() as session:
        assert await checkpoints.accept(session, GROUP, Partition(making.TOPIC, 0), 0, expected=len(records))
    bench.next_offsets[0] = 0
    await bench.apply(*records)

    assert await bench.rows("SELECT * FROM dead_letters ORDER BY record_offset") == letters
    assert (await bench.snapshot())[:2] == (tables, inbox)


FIXED_STATEMENTS = 18


async def test_a_batch_of_500_mixed_commands_costs_a_fixed_number_of_statements(bench):
    source = mixed_commands(1)
    await bench.apply(*(record(next(source)) for _ in range(160)))
    records = [record(next(source)) for _ in range(499)]
    records.insert(250, making.FakeRecord(key=b"", value=b"garbage"))
    records += [record(making.create_squad(next(source).stream_id))]

    with StatementCounter(bench.database) as counter:
        counts = await bench.apply(*records)

    assert counts["applied"] > 150
    assert sum(number for name, number in counts.items() if name.startswith("rejected")) > 50
    assert len(counter.statements) <= FIXED_STATEMENTS, Counter(each.split()[0] for each in counter.statements)


async def test_statements_are_the_same_texts_however_many_commands_a_batch_has(bench):
    """Each text is prepared once for a connection and kept; texts that vary would push each other out."""
    await bench.apply(record(making.register_user()))  # makes the checkpoint
    said = []
    for count in (2, 40):
        with StatementCounter(bench.database) as counter:
            await bench.apply(*(record(making.register_user()) for _ in range(count)))
        said.append(counter.statements)

    assert said[0] == said[1]


async def test_positions_follow_the_order_of_deciding(bench):
    records = [record(making.register_user(), command_id=str(number)) for number in range(300)]

    await bench.apply(*records)

    order = await bench.rows(
        "SELECT causation_id FROM outbox WHERE topic = :topic ORDER BY position", topic=TOPICS.events
    )
    assert [int(row[0]) for row in order] == list(range(300))
    assert await bench.rows("SELECT count(DISTINCT txid) FROM outbox") == [(1,)]
    assert await bench.rows("SELECT consumer_group FROM checkpoints") == [(GROUP,)]
