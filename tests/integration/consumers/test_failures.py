"""Each row of the failure table: what happens to the batch, and what does not."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from consumers.culprits import Culprit, Policy
from consumers.failures import Settler
from consumers.records import Batch, Partition
from db.database import Database
from db.errors import Failure
from db.telling import HalfDeployedError
from domain.commands import RegisterUser
from domain.handlers import registration
from domain.tables import RULES, Rule
from tests import making
from tests.applying import Bench
from tests.making import TOPIC, new_id, record, structured
from tests.poison import POISON, poison


class Readers:
    """Stands for the source: notes what it is told."""

    def __init__(self) -> None:
        self.current = True
        self.again: list[Batch] = []
        self.stopped: dict[Partition, str] = {}

    def is_current(self, batch: Batch) -> bool:
        return self.current

    def read_again(self, batch: Batch) -> None:
        self.again.append(batch)

    def stop_partition(self, partition: Partition, why: str, next_offset: int) -> None:
        self.stopped[partition] = why


@pytest.fixture
def readers() -> Readers:
    return Readers()


def settler(processor, readers: Readers, **options) -> Settler:
    return Settler(processor=processor, source=readers, backoff_seconds=0.01, backoff_most_seconds=0.05, **options)


@pytest.fixture
def poisonous(monkeypatch) -> None:
    poison(monkeypatch)


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


class Failing:
    """Fails with scripted errors first, then lets the real processor work."""

    def __init__(self, processor, *errors: BaseException) -> None:
        self._processor = processor
        self._errors = [*errors]
        self.calls = 0

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return await self._processor.apply(batch, culprit)


async def test_transient_failures_are_tried_again_for_as_long_as_it_takes(bench, readers, caplog):
    failing = Failing(bench.processor, *(ConnectionRefusedError("no") for _ in range(8)))

    assert await settler(failing, readers).settle(await bench.batch([record(making.register_user())])) == frozenset()

    assert failing.calls == 9
    assert await bench.rows("SELECT count(*) FROM users") == [(1,)]
    said = [each for each in caplog.messages if "transient" in each or "going on" in each]
    assert len(said) == 2, "one line for each change of state, not for each attempt"


async def test_process_that_is_to_end_does_not_wait_for_the_database(bench, readers):
    stopping = asyncio.Event()
    failing = Failing(bench.processor, *(ConnectionRefusedError("no") for _ in range(1000)))
    settling = asyncio.create_task(
        settler(failing, readers, stopping=stopping).settle(await bench.batch([record(making.register_user())]))
    )
    while failing.calls < 3:  # noqa: ASYNC110 - the fake has nothing to wait for
        await asyncio.sleep(0)

    stopping.set()

    assert await asyncio.wait_for(settling, 10) == frozenset()
    assert await bench.rows("SELECT next_offset FROM checkpoints") == [(0,)]


async def test_batch_that_is_no_longer_ours_is_dropped(bench, readers):
    failing = Failing(bench.processor, ConnectionRefusedError("no"))
    batch = await bench.batch([record(making.register_user())])
    readers.current = False

    assert await settler(failing, readers).settle(batch) == frozenset()

    assert failing.calls == 0
    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]


async def test_fenced_batch_is_dropped_and_read_again_from_the_checkpoint(bench, readers):
    await bench.batch([record(making.register_user())])
    late = await bench.batch([record(making.register_user())])

    assert await settler(bench.processor, readers).settle(late) == frozenset()

    assert readers.again == [late]
    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]


async def settle_at_once(database: Database, readers: Readers, batches: list[Batch], *, table: str) -> Counter[Failure]:
    """Settle batches of rivals, none of which writes to a table before all have read it; gives what was retried."""
    settlers = [settler(Bench(database).processor, readers) for _ in batches]
    async with database.sessions() as gate, asyncio.timeout(30):
        await gate.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))
        rivals = [asyncio.create_task(each.settle(batch)) for each, batch in zip(settlers, batches, strict=True)]
        waiting = text("SELECT count(*) FROM pg_locks WHERE relation = CAST(:table AS regclass) AND NOT granted")
        while await gate.scalar(waiting, {"table": table}) < len(batches):
            pass
        await gate.rollback()
        await asyncio.gather(*rivals)
    return sum((each.tally.retries for each in settlers), Counter())


async def test_rival_for_an_email_makes_the_rule_answer(database, readers):
    """Both see the e-mail free; the unique index stops the slower one, who reloads and is refused by the rule."""
    bench = Bench(database)
    batches = [
        await bench.batch([record(making.register_user(email="ada@example.org"))], partition=number)
        for number in range(6)
    ]

    retried = await settle_at_once(database, readers, batches, table="users")

    outcomes = Counter((each["outcome"], each["code"]) for each in await bench.outcomes())
    assert outcomes == {("applied", None): 1, ("rejected", "email-taken"): 5}
    assert retried == {Failure.CLASH: 5}
    assert not readers.stopped


async def test_rival_for_an_id_in_another_squad_makes_the_rule_answer(database, readers):
    bench, user_id, squads, project_id = Bench(database), new_id(), [new_id() for _ in range(6)], new_id()
    await bench.apply(record(making.register_user(user_id)))
    await bench.apply(*(record(making.create_squad(user_id, squad)) for squad in squads))
    batches = [
        await bench.batch([record(making.create_project(squad, project_id))], partition=number)
        for number, squad in enumerate(squads, 1)
    ]

    retried = await settle_at_once(database, readers, batches, table="projects")

    outcomes = Counter((each["outcome"], each["code"]) for each in (await bench.outcomes())[7:])
    assert outcomes == {("applied", None): 1, ("rejected", "project-exists"): 5}
    assert retried == {Failure.CLASH: 5}
    assert not readers.stopped


async def test_missing_column_waits_then_stops_the_process_and_makes_no_dead_letter(bench, readers):
    batch = await bench.batch([record(making.register_user())])
    async with bench.database.transaction() as session:
        await session.execute(text("ALTER TABLE users RENAME COLUMN plan_tier TO tier"))

    with pytest.raises(HalfDeployedError, match="squad migrate"):
        await settler(bench.processor, readers, deploy_seconds=0.2).settle(batch)

    async with bench.database.transaction() as session:
        await session.execute(text("ALTER TABLE users RENAME COLUMN tier TO plan_tier"))
    assert await settler(bench.processor, readers).settle(batch) == frozenset()
    assert await bench.rows("SELECT count(*) FROM users") == [(1,)]


async def test_missing_partition_of_the_outbox_is_a_deploy_that_is_half_done(bench, readers):
    batch = await bench.batch([record(making.register_user())])
    async with bench.database.transaction() as session:
        await session.execute(text("SELECT setval('outbox_position', 900000000000000000)"))

    with pytest.raises(HalfDeployedError):
        await settler(bench.processor, readers, deploy_seconds=0.2).settle(batch)

    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]


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


async def test_killed_connections_are_transient(bench, readers):
    """Whoever is in a transaction is ended, again and again, at random moments; every batch is applied once."""
    killer, killed = Bench(Database(url=bench.database.url)), 0
    for _ in range(60):
        batch = await bench.batch([record(making.register_user()) for _ in range(5)])
        settling = asyncio.create_task(settler(bench.processor, readers).settle(batch))
        for _ in range(3):
            killed += len(
                await killer.rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND datname = current_database() AND xact_start IS NOT NULL"
                )
            )
        await settling
    await killer.database.close()

    assert killed > 20
    assert not readers.stopped
    assert await bench.rows("SELECT count(*), sum(version) FROM users") == [(300, 300)]
    assert await bench.rows("SELECT next_offset FROM checkpoints") == [(300,)]
