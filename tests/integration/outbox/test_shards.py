"""Several shards: divided and joined without losing, repeating or reordering, and shared by several processes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy.exc import IntegrityError

from db.database import Database
from outbox.errors import LeaseLostError, UncoveredSlotsError, UnmergeableError
from outbox.lease import Lease, relay_lease
from outbox.relay import Relay
from outbox.relays import Relays
from outbox.shards import fetch_shards, plan_shards, reshard
from tests.pausing_writers import Writers, relay_beside
from tests.relaying import RecordingPublisher, append_rows, execute, fetch_rows, judge, leading_relay, write_rows

KEYS = [f"key-{number}" for number in range(40)]


async def divide(database: Database, count: int) -> None:
    async with database.transaction() as session:
        await reshard(session, count=count, reason="a test wants it")


async def relay_all(database: Database, publisher: RecordingPublisher, *, page_rows: int = 2000) -> Counter[int]:
    """Let each shard's relay publish until nothing is left; give how many rows each did."""
    async with database.sessions() as session:
        shards = [each.shard for each in await fetch_shards(session)]
    done: Counter[int] = Counter()
    for shard in shards:
        async with leading_relay(database, publisher, page_rows=page_rows, shard=shard) as relay:
            done[shard] = await relay.pass_once()
    return done


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1024])
def test_shards_have_each_slot_once(count: int) -> None:
    slots = [slot for each in plan_shards(count) for slot in range(each.slot_from, each.slot_to + 1)]
    assert slots == list(range(1024))


@pytest.mark.parametrize("count", [0, 1025])
def test_there_are_no_shards_without_slots(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 1024"):
        plan_shards(count)


async def test_dividing_in_the_middle_of_a_window_publishes_each_row_once(database: Database) -> None:
    publisher = RecordingPublisher()
    async with database.sessions() as late:
        await append_rows(late, "late", [1])
        for key in KEYS:
            await write_rows(database, key, [1, 2])
        async with leading_relay(database, publisher, page_rows=30) as relay:
            await relay.relay_batch()
            for key in KEYS[:5]:
                await write_rows(database, key, [3])
            await divide(database, 4)
            for _ in range(2):  # with its old connection, then with another and the cursor read anew
                with pytest.raises(LeaseLostError):
                    await relay.relay_batch()
        await late.commit()
    done = await relay_all(database, publisher, page_rows=20)
    done += await relay_all(database, publisher, page_rows=20)

    verdict = await judge(database, publisher.records)
    assert (verdict.committed, verdict.lost, verdict.disordered) == (86, set(), [])
    # The page that the first relay had sent and not stored when it was overtaken.
    assert verdict.repeated <= 30
    assert len(done) == 4


async def test_shards_that_published_all_become_one_and_others_say_what_to_do(database: Database) -> None:
    publisher = RecordingPublisher()
    await divide(database, 4)
    for key in KEYS:
        await write_rows(database, key, [1])
    for done in (1, 2):
        async with leading_relay(database, publisher, shard=done) as relay:
            await relay.pass_once()
    with pytest.raises(UnmergeableError, match=r"shard [03] has rows"):
        await divide(database, 2)
    async with database.sessions() as session:
        assert len(await fetch_shards(session)) == 4

    await relay_all(database, publisher)
    async with database.sessions() as late:
        await append_rows(late, "late", [1])
        await divide(database, 3)
        await write_rows(database, KEYS[0], [2])
        await divide(database, 6)
        await late.commit()
    await relay_all(database, publisher)
    await divide(database, 1)
    await relay_all(database, publisher)

    verdict = await judge(database, publisher.records)
    assert (verdict.committed, verdict.lost, verdict.repeated, verdict.disordered) == (42, set(), 0, [])
    notes = await fetch_rows(database, "SELECT before, after FROM audit WHERE action = 'relay reshard' ORDER BY id")
    assert [(note.before["shards"], note.after["shards"]) for note in notes] == [(1, 4), (4, 3), (3, 6), (6, 1)]


async def test_holds_follow_their_keys_to_another_shard(database: Database) -> None:
    publisher = RecordingPublisher(refuse=lambda record: record.key in {b"key-1", b"key-2"})
    for key in KEYS:
        await write_rows(database, key, [1])
    await relay_all(database, publisher)
    await divide(database, 4)
    publisher.refuse = lambda _: False
    for key in KEYS[:3]:
        await write_rows(database, key, [2])
    await relay_all(database, publisher)

    assert Counter(record.key for record in publisher.records)[b"key-0"] == 2
    assert len(publisher.records) == 39
    (held,) = await fetch_rows(database, "SELECT count(*) AS lines FROM held")
    assert held.lines == 4


async def test_ranges_that_overlap_are_refused_by_the_table_and_gaps_at_the_start(database: Database) -> None:
    overlap = (
        "INSERT INTO relay_cursors (shard, slot_from, slot_to, previous, position, epoch) VALUES (7, {}, '3:3:', 0, 0)"
    )
    with pytest.raises(IntegrityError, match="ex_relay_cursors_slots"):
        await execute(database, overlap.format("1023, 1023"))
    await execute(database, "UPDATE relay_cursors SET slot_to = 500")
    with pytest.raises(IntegrityError, match="slots_in_range"):
        await execute(database, overlap.format("600, 1024"))
    await execute(database, overlap.format("502, 1023"))
    relays = Relays(database=database, build=builder(database, RecordingPublisher()))
    with pytest.raises(ExceptionGroup) as raised:
        await relays.run()
    assert raised.group_contains(UncoveredSlotsError, match="slot 501")


def builder(
    database: Database, publisher: RecordingPublisher, *, ttl_seconds: float = 10, renew_seconds: float = 0.05
) -> Callable[[int], Relay]:
    def build(shard: int) -> Relay:
        lease = Lease(database=database, name=relay_lease(shard), ttl_seconds=ttl_seconds, renew_seconds=renew_seconds)
        return Relay(database=database, publisher=publisher, lease=lease, shard=shard, page_rows=50)

    return build


async def two() -> int:
    return 2


@asynccontextmanager
async def running(*relays: Relays) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group, asyncio.timeout(30):
        for each in relays:
            group.create_task(each.run())
        yield
        for each in relays:
            each.stop()


async def until(predicate: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not predicate():  # noqa: ASYNC110 - what a relay of its own does has no event
            await asyncio.sleep(0.01)


async def test_processes_share_the_shards_and_take_over_those_of_one_that_ends(database: Database) -> None:
    await divide(database, 4)
    publisher, count = RecordingPublisher(), 1

    async def alive() -> int:
        return count

    first, second = (
        Relays(database=database, build=builder(database, publisher), interval_seconds=0.02, count_processes=alive)
        for _ in range(2)
    )
    async with running(first):
        await until(lambda: len(first.leading) == 4)
        count = 2
        async with running(second):
            await until(lambda: len(first.leading) == len(second.leading) == 2)
            assert sorted(first.leading + second.leading) == [0, 1, 2, 3]
            for key in KEYS:
                await write_rows(database, key, [1, 2, 3])
            await publisher.wait_until(lambda records: len(records) >= 120)
        count = 1
        await until(lambda: len(first.leading) == 4)
        for key in KEYS:
            await write_rows(database, key, [4])
        await publisher.wait_until(lambda records: len(records) >= 160)

    verdict = await judge(database, publisher.records)
    assert (verdict.lost, verdict.repeated, verdict.disordered) == (set(), 0, [])


async def test_process_leads_no_more_shards_than_it_may(database: Database) -> None:
    await divide(database, 4)
    relays = Relays(
        database=database, build=builder(database, RecordingPublisher()), most_shards=3, interval_seconds=0.02
    )
    async with running(relays):
        await until(lambda: len(relays.leading) == 3)
        await asyncio.sleep(0.1)
        assert len(relays.leading) == 3
    assert relays.leading == []


async def test_running_relays_follow_a_new_division_beside_the_worst_writers(database: Database) -> None:
    publisher = RecordingPublisher()
    relays = [
        Relays(database=database, build=builder(database, publisher), interval_seconds=0.02, count_processes=two)
        for _ in range(2)
    ]
    counts = iter([3, 8, 2, 4])

    async def step() -> int:
        count = next(counts, None)
        # Shards with rows left cannot become one: then the division stays as it is.
        with suppress(UnmergeableError):
            if count is not None:
                await divide(database, count)
        await asyncio.sleep(0.05)
        rows = await fetch_rows(database, "SELECT count(*) AS rows FROM outbox")
        return int(rows[0].rows) - len(set(publisher.positions))

    async with running(*relays):
        await relay_beside(Writers(database=database, publisher=publisher, seed=5, transactions=6), step)

    verdict = await judge(database, publisher.records)
    assert verdict.committed > 150
    assert (verdict.lost, verdict.disordered) == (set(), [])
    assert verdict.repeated <= 50 * 2 * 4


async def test_relay_that_was_idle_when_it_lost_its_shard_reads_the_cursor_that_came_instead(
    database: Database,
) -> None:
    """It stands in no page then, and so nothing it does fails."""
    await divide(database, 4)
    publisher = RecordingPublisher()
    relay = builder(database, publisher)(0)
    passes = note_passes(relay)
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run())
        # Its waits grow to half a second, so that it is in one of them now.
        await until(lambda: len(passes) >= 7)
        await divide(database, 1)
        for key in KEYS:
            await write_rows(database, key, [1])
        await publisher.wait_until(lambda records: len(records) == len(KEYS))
        relay.stop()

    verdict = await judge(database, publisher.records)
    assert (verdict.lost, verdict.repeated, verdict.disordered) == (set(), 0, [])


def note_passes(relay: Relay) -> list[int]:
    """Give a list that grows by one for each pass of a relay."""
    passes: list[int] = []
    original = relay.relay_batch

    async def noted() -> int:
        passes.append(await original())
        return passes[-1]

    relay.relay_batch = noted  # type: ignore[method-assign]
    return passes


async def test_relay_of_a_shard_that_is_gone_ends_and_its_process_goes_on(database: Database) -> None:
    await divide(database, 4)
    publisher = RecordingPublisher()
    relays = Relays(database=database, build=builder(database, publisher), interval_seconds=0.02)
    async with running(relays):
        await until(lambda: len(relays.leading) == 4)
        await divide(database, 1)
        await until(lambda: relays.leading == [0])
        await write_rows(database, "a", [1])
        await publisher.wait_until(lambda records: len(records) == 1)
        assert relays.leading == [0]

    verdict = await judge(database, publisher.records)
    assert (verdict.lost, verdict.repeated, verdict.disordered) == (set(), 0, [])
