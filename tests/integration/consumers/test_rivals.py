"""Eight consumers on fifty hot squads, with users, e-mails and ids that all of them want at once."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from itertools import islice

import pytest

from consumers.culprits import Culprit
from consumers.failures import Settler
from consumers.inbox import RivalError
from consumers.records import Batch
from db.database import Database
from db.errors import classify, sqlstate
from tests.applying import Bench
from tests.faults.results import note_verdict
from tests.judging import judge_run
from tests.making import FakeRecord, record
from tests.relaying import RecordingPublisher, leading_relay
from tests.rivals import Arena
from tests.sources import Alone

RIVALS, ROUNDS, SIZE = 8, 5, 90

DEADLOCK = "40P01"


def round_of(arena: Arena, number: int, rival: int, chance: random.Random) -> list[FakeRecord]:
    """Give a rival's batch of a round: what all send at once, in an order of its own, and what it thinks of itself.

    Some of the latter have ids that others use too, with the same content or with another.
    """
    own = f"{rival}-{number}"
    given = [
        record(command, command_id=command_id or f"{own}-spark-{place}")
        for place, (command_id, command) in enumerate(arena.sparks(number))
    ]
    shared = [*islice(arena.commands(random.Random(number)), 5)]
    for place, command in enumerate(islice(arena.commands(chance), SIZE - len(given))):
        match chance.randrange(10):
            case 0:
                again = chance.randrange(len(shared))
                given.append(record(shared[again], command_id=f"shared-{number}-{again}"))
            case 1:
                given.append(record(command, command_id=f"shared-{number}-{chance.randrange(len(shared))}"))
            case _:
                given.append(record(command, command_id=f"{own}-{place}"))
    chance.shuffle(given)
    return given


class Rival:
    """One consumer, with connections, a partition and commands of its own."""

    def __init__(self, database: Database, arena: Arena, number: int, seed: int, start: asyncio.Barrier) -> None:
        chance = random.Random(seed * 100 + number)
        self.bench = Bench(database)
        self.number = number
        self.rounds = [round_of(arena, each, number, chance) for each in range(ROUNDS)]
        self._start = start
        self.counts: Counter[str] = Counter()
        self.collisions: Counter[str] = Counter()
        self._processor = self.bench.processor
        self._settler = Settler(
            processor=self, source=Alone(), on_applied=self.counts.update, backoff_seconds=0.01, backoff_most_seconds=1
        )

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]:
        try:
            return await self._processor.apply(batch, culprit)
        except Exception as error:
            self.collisions[name_of(error)] += 1
            raise

    async def run(self) -> None:
        for each in self.rounds:
            batch = await self.bench.batch(each, partition=self.number)
            await self._start.wait()
            await self._settler.settle(batch)


def name_of(error: Exception) -> str:
    if sqlstate(error) == DEADLOCK:
        return "deadlock"
    return "decided by a rival" if isinstance(error, RivalError) else str(classify(error))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long_faults) for seed in range(2, 12))])
async def test_eight_rivals_on_fifty_hot_squads_lose_and_double_nothing(request, database, record_property, seed):
    arena = Arena()
    first = Bench(database)
    owners = [record(command, command_id=command.stream_id) for command in arena.registrations()]
    await first.apply(*owners, partition=100)
    publisher = RecordingPublisher()
    async with AsyncExitStack() as open_databases, leading_relay(database, publisher, page_rows=300) as relay:
        rivals, start = [], asyncio.Barrier(RIVALS)
        for number in range(RIVALS):
            own = Database(url=database.url, pool_size=1)
            open_databases.push_async_callback(own.close)
            rivals.append(Rival(own, arena, number, seed, start))
        working = asyncio.gather(*(rival.run() for rival in rivals))
        while not working.done():
            await relay.relay_batch()
            await asyncio.sleep(0)
        await working
        while await relay.relay_batch():
            pass

    applied = [each for rival in rivals for batch in rival.rounds for each in batch]
    verdict = await judge_run(database, [*owners, *applied], publisher.records)
    deadlocks = sum(rival.collisions["deadlock"] for rival in rivals)
    records = len(owners) + len(applied)
    name, faults = request.node.name, {"eight rivals for the same streams, e-mails and ids": 1}
    note_verdict(name, verdict, faults, seed=seed, commands=records, deadlocks=deadlocks)
    assert verdict.passed, verdict
    counts = sum((rival.counts for rival in rivals), Counter[str]())
    collisions = sum((rival.collisions for rival in rivals), Counter[str]())
    record_property("collisions", dict(collisions))
    print(dict(collisions), dict(counts))  # noqa: T201 - how often they met, for whoever wants to know
    assert collisions["decided by a rival"] > 3
    assert counts["duplicate"] > 20
    assert counts["dead letter: id-conflict"] > 20
    assert counts["rejected: email-taken"] > 20
    assert counts["rejected: squad-exists"] > 20
    assert counts["applied"] > 200
