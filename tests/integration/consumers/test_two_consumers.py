"""Consumers that read the same partition, or write the same streams: each command has one effect, in its place."""

import asyncio
import random
from collections import Counter

import pytest

from consumers import checkpoints
from consumers.checkpoints import FencedError
from consumers.decode import Decoder
from consumers.inbox import RivalError
from consumers.processor import Processor
from messages.codec import Limits
from tests import making
from tests.applying import GROUP, TOPICS, Bench, build_processor
from tests.making import new_id, record


async def test_batch_that_began_elsewhere_than_the_checkpoint_is_dropped(bench):
    first = await bench.batch([record(making.register_user())])
    second = await bench.batch([record(making.register_user())])

    with pytest.raises(FencedError):
        await bench.processor.apply(second)
    await bench.processor.apply(first)
    with pytest.raises(FencedError):
        await bench.processor.apply(first)
    await bench.processor.apply(second)

    assert await bench.rows("SELECT count(*) FROM users") == [(2,)]
    assert await bench.rows("SELECT next_offset FROM checkpoints") == [(2,)]


async def test_batch_without_a_checkpoint_is_dropped(bench):
    batch = making.batch([record(making.register_user())], partition=7)

    with pytest.raises(FencedError):
        await bench.processor.apply(batch)

    assert await bench.rows("SELECT count(*) FROM inbox") == [(0,)]


async def test_two_consumers_with_the_same_command_have_one_effect(database):
    """Each has it in a partition of its own; the loser sees its inbox row missing, and decides again."""
    bench, user_id = Bench(database), new_id()
    command = making.register_user(user_id)
    batches = [await bench.batch([record(command, command_id="1")], partition=number) for number in range(4)]
    processors = [build_processor(database) for _ in batches]

    async def settle(number: int) -> Counter[str]:
        while True:
            try:
                return await processors[number].apply(batches[number])
            except RivalError:
                continue

    results = await asyncio.gather(*map(settle, range(4)))

    assert sum(result["applied"] for result in results) == 1
    assert sum(result["duplicate"] for result in results) == 3
    bodies = await bench.rows("SELECT DISTINCT body, event_id FROM outbox WHERE topic = :topic", topic=TOPICS.outcomes)
    assert len(bodies) == 1
    assert await bench.rows("SELECT count(*) FROM users") == [(1,)]


async def test_second_group_on_one_database_finds_everything_decided_and_repeats_its_outcomes(database):
    """The inbox is everybody's, and so are controls: a group of its own is no second consumer of the commands."""
    bench = Bench(database)
    batch = await bench.batch([record(making.register_user(), command_id=str(number)) for number in range(3)])
    await bench.processor.apply(batch)
    other = Processor(database=database, group="another", topics=TOPICS, decoder=Decoder(limits=Limits()))
    async with database.transaction() as session:
        await checkpoints.create(session, "another", batch.begins)

    assert await other.apply(batch) == Counter({"duplicate": 3, "outcome": 3})
    assert await bench.rows("SELECT consumer_group, next_offset FROM checkpoints ORDER BY 1") == [
        ("another", 3),
        (GROUP, 3),
    ]


async def test_versions_count_events_without_gaps_under_rival_consumers(database):
    """Four processors on eight hot squads: every event has its place, and none is lost."""
    bench = Bench(database)
    users, squads = [new_id() for _ in range(5)], [new_id() for _ in range(8)]
    await bench.apply(*(record(making.register_user(user)) for user in users))
    await bench.apply(*(record(making.create_squad(users[0], squad)) for squad in squads))
    chance = random.Random(3)

    async def work(number: int) -> None:
        mine = Bench(database)
        for _ in range(15):
            batch = [record(making.create_project(chance.choice(squads))) for _ in range(5)]
            batch += [record(making.transfer(chance.choice(squads), chance.choice(users))) for _ in range(5)]
            await mine.apply(*batch, partition=10 + number)

    await asyncio.gather(*(work(number) for number in range(4)))

    versions = dict(await bench.rows("SELECT id::text, version FROM squads"))
    sequences: dict[str, list[int]] = {}
    for each in await bench.outbox():
        sequences.setdefault(each["key"], []).append(each["sequence"])
    for squad, version in versions.items():
        assert sequences[squad] == list(range(1, version + 1))
