"""The rows of the failure table in which a record is blamed: who becomes a dead letter, and what stops."""

from collections import Counter
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from consumers.culprits import Policy
from consumers.failures import Settler
from consumers.records import Batch, Partition
from db.database import Database
from domain.commands import RegisterUser
from domain.handlers import registration
from domain.tables import RULES, Rule
from tests import making
from tests.applying import Bench
from tests.making import TOPIC, record, structured
from tests.poison import POISON
from tests.settling import Failing, settler


@pytest.mark.parametrize("place", [0, 1, 6, 7, 12])
async def test_culprit_is_found_and_becomes_a_dead_letter_and_all_others_are_applied(
    bench, readers, poisonous, caplog, place
):
    records = [record(making.register_user(name=POISON if n == place else "Ada"), command_id=str(n)) for n in range(13)]
    batch = await bench.batch(records)

    assert await settler(bench.processor, readers).settle(batch) == frozenset()

    assert not readers.stopped
    assert f"offset {place} (type user.register.v1, id {place}) fails, attempts=3: ZeroDivisionError" in caplog.text
    assert "in decide" in caplog.text, "where it came from is told"
    assert f"with {POISON}" not in caplog.text, "and no value, which may be personal"
    assert await bench.rows("SELECT count(*) FROM users") == [(12,)]
    assert await bench.rows("SELECT next_offset FROM checkpoints") == [(13,)]
    [(offset, reason, detail, attempts, value)] = await bench.rows(
        "SELECT record_offset, reason, detail, attempts, value FROM dead_letters"
    )
    assert (offset, reason, attempts, value) == (place, "unexpected", 3, records[place].value)
    assert detail.startswith("ZeroDivisionError, in decide (poison.py:")
    outcomes = Counter((each["outcome"], each["code"], each["final"]) for each in await bench.outcomes())
    assert outcomes == {("applied", None, True): 12, ("dead-lettered", "unexpected", False): 1}


async def test_culprit_that_was_mended_between_two_attempts_is_applied(bench, readers, poisonous, monkeypatch):
    failing = Failing(bench.processor, ZeroDivisionError(), ZeroDivisionError())

    assert await settler(failing, readers).settle(await bench.batch([record(making.register_user())])) == frozenset()

    assert failing.calls == 3
    assert await bench.rows("SELECT count(*) FROM users") == [(1,)]
    assert await bench.rows("SELECT count(*) FROM dead_letters") == [(0,)]


async def test_dead_letter_tells_its_first_and_its_last_attempt(bench, readers, poisonous):
    patient = Settler(processor=bench.processor, source=readers, attempts=5, backoff_seconds=0.1)

    await patient.settle(await bench.batch([record(making.register_user(name=POISON))]))

    assert await bench.rows("SELECT attempts, first_at < last_at, last_at <= now() FROM dead_letters") == [
        (5, True, True)
    ]


@pytest.mark.parametrize("place", [0, 7, 12])
async def test_culprit_of_a_type_that_stops_has_its_partition_stopped_in_front_of_it(bench, readers, poisonous, place):
    records = [record(making.register_user(name=POISON if n == place else "Ada"), command_id=str(n)) for n in range(13)]
    stopping = settler(bench.processor, readers, policies={"user.register.v1": Policy.STOP})

    assert await stopping.settle(await bench.batch(records)) == {Partition(TOPIC, 0)}

    why = readers.stopped[Partition(TOPIC, 0)]
    assert f"offset {place} (type user.register.v1, id {place})" in why
    assert why.endswith("cannot be applied: ZeroDivisionError")
    assert await bench.rows("SELECT count(*) FROM users") == [(place,)]
    assert await bench.rows("SELECT next_offset FROM checkpoints") == [(place,)]
    assert await bench.rows("SELECT count(*) FROM dead_letters") == [(0,)]


async def test_culprit_of_which_no_dead_letter_can_be_made_has_its_partition_stopped(bench, readers, poisonous):
    async with bench.database.transaction() as session:
        await session.execute(text("ALTER TABLE dead_letters ADD CONSTRAINT ck_trial CHECK (reason <> 'unexpected')"))
    culprit = structured(making.register_user(name=POISON), command_id="42")

    assert await settler(bench.processor, readers).settle(await bench.batch([culprit])) == {Partition(TOPIC, 0)}

    why = readers.stopped[Partition(TOPIC, 0)]
    assert "offset 0 (type user.register.v1, id 42) cannot be applied: ZeroDivisionError; no dead letter can be" in why
    assert await bench.rows("SELECT next_offset FROM checkpoints") == [(0,)]


async def test_record_of_which_nobody_knows_what_it_writes_has_its_partition_stopped(bench, readers, monkeypatch):
    """A dead letter alone would let later commands of its streams overtake it."""

    def read(command, reads) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(RULES, RegisterUser, Rule(read, registration.register_user))
    batch = await bench.batch([record(making.register_user())])

    assert await settler(bench.processor, readers).settle(batch) == {Partition(TOPIC, 0)}

    assert await bench.rows("SELECT count(*) FROM dead_letters") == [(0,)]


async def test_other_partitions_of_the_batch_go_on_past_the_culprit(bench, readers, poisonous):
    mine = await bench.batch([record(making.register_user(name=POISON if n == 2 else "Ada")) for n in range(5)])
    other = await bench.batch([record(making.register_user()) for _ in range(5)], partition=1)
    mixed = [each for pair in zip(mine.records, other.records, strict=True) for each in pair]
    stopping = settler(bench.processor, readers, policies={"user.register.v1": Policy.STOP})

    stopped = await stopping.settle(Batch(mixed, {**mine.begins, **other.begins}, 1))

    assert stopped == {Partition(TOPIC, 0)}
    assert await bench.rows("SELECT partition, next_offset FROM checkpoints ORDER BY 1") == [(0, 2), (1, 5)]
    assert await bench.rows("SELECT count(*) FROM users") == [(7,)]


@asynccontextmanager
async def slow_inserts(database: Database, seconds: str):
    """Let each new user cost time, by its name, on connections with a short statement timeout."""
    async with database.transaction() as session:
        await session.execute(
            text(
                "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$"
            )
        )
        await session.execute(text("CREATE TRIGGER slow BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION slow()"))
    impatient = Database(url=database.url, statement_timeout_seconds=0.2, lock_timeout_seconds=0.1)
    yield Bench(impatient)
    await impatient.close()


async def test_batch_that_takes_too_long_as_a_whole_is_halved(database, readers):
    async with slow_inserts(database, "0.03") as bench:
        batch = await bench.batch([record(making.register_user()) for _ in range(13)])
        careful = settler(bench.processor, readers, probe=bench.processor.probe, halving_attempts=2)

        assert await careful.settle(batch) == frozenset()

        assert await bench.rows("SELECT count(*) FROM users") == [(13,)]
        assert await bench.rows("SELECT count(*) FROM dead_letters") == [(0,)]
        assert careful.tally.bisections > 0


async def test_command_that_takes_too_long_alone_is_a_dead_letter(database, readers):
    slow = f"CASE NEW.name WHEN '{POISON}' THEN 5 ELSE 0 END"
    async with slow_inserts(database, slow) as bench:
        records = [record(making.register_user(name=POISON if n == 2 else "Ada"), command_id=str(n)) for n in range(4)]
        careful = settler(bench.processor, readers, probe=bench.processor.probe, halving_attempts=2, attempts=1)

        assert await careful.settle(await bench.batch(records)) == frozenset()

        assert await bench.rows("SELECT count(*) FROM users") == [(3,)]
        [(command_id, reason, detail)] = await bench.rows("SELECT command_id, reason, detail FROM dead_letters")
        assert (command_id, reason) == ("2", "unexpected")
        assert "sqlstate 57014" in detail
