"""Producers retry whenever they like, consumers lag, clocks differ, and the inbox is pruned all the while."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from consumers import checkpoints
from consumers.inbox_floor import Rule
from consumers.pruning import Pruner
from consumers.records import Partition
from domain.commands import Command
from tests import making
from tests.applying import GROUP, Bench
from tests.making import TOPIC, FakeRecord, record

BEGIN = datetime.now(UTC) - timedelta(days=1)
LIMIT, SKEW = 100, 10
RULE = Rule(age_limit_seconds=LIMIT, skew_seconds=SKEW, keep_seconds=0)


class World:
    """Three partitions, of which the last is read seldom, and a clock that only the test turns."""

    def __init__(self, bench: Bench, chance: random.Random) -> None:
        self._bench = bench
        self._chance = chance
        self._clock = BEGIN
        self._sent: list[tuple[Command, datetime]] = []
        self._waiting: dict[int, list[FakeRecord]] = {0: [], 1: [], 2: []}
        self.applied: set[str] = set()
        self.refused = self.repeated = 0

    def produce(self) -> None:
        """Append commands, most of them new, the others sent again; the leader's clock may be late."""
        self._clock += timedelta(seconds=self._chance.uniform(5, 30))
        for _ in range(3):
            if not self._sent or self._chance.random() < 0.5:
                self._sent.append((making.register_user(), self._clock + self._differ()))
            number = len(self._sent) - self._chance.randint(1, min(len(self._sent), 25))
            command, time = self._sent[number]
            stamp = round((self._clock - abs(self._differ())).timestamp() * 1000)
            appended = record(command, time=time, timestamp=stamp, command_id=str(number))
            self._waiting[self._chance.choice((0, 1, 2))].append(appended)

    def _differ(self) -> timedelta:
        return timedelta(seconds=self._chance.uniform(-SKEW, SKEW) / 2)

    async def consume(self) -> None:
        """Apply what waits in a partition, one by one; note which have nothing left."""
        number = self._chance.choice((0, 0, 0, 1, 1, 1, 2))
        for waiting in self._take(number):
            await self._apply(waiting, number)
        drained = {
            Partition(TOPIC, each): (self._bench.next_offsets[each], self._clock)
            for each, waiting in self._waiting.items()
            if not waiting
        }
        async with self._bench.database.transaction() as session:
            await checkpoints.note_caught_up(session, GROUP, drained)

    def _take(self, number: int) -> list[FakeRecord]:
        count = self._chance.choice((3, len(self._waiting[number])))
        taken, self._waiting[number] = self._waiting[number][:count], self._waiting[number][count:]
        return taken

    async def _apply(self, waiting: FakeRecord, partition: int) -> None:
        counts = await self._bench.apply(waiting, partition=partition)
        command_id = str(dict(waiting.headers)["ce_id"] or b"", "ascii")
        sent_at = self._sent[int(command_id)][1]
        came_in_time = datetime.fromtimestamp(waiting.timestamp / 1000, UTC) - sent_at <= timedelta(seconds=LIMIT)
        if counts["applied"]:
            assert command_id not in self.applied, "applied twice"
            self.applied.add(command_id)
        elif counts["dead letter: too-old"]:
            self.refused += 1
            assert not came_in_time, "refused, though it came in time"
        else:
            self.repeated += counts["duplicate"]


@pytest.mark.parametrize("seed", range(2))
async def test_each_command_is_applied_once_and_refused_only_when_it_came_too_late(database, seed):
    bench = Bench(database, age_limit_seconds=LIMIT, skew_seconds=SKEW)
    world = World(bench, random.Random(seed))
    pruner = Pruner(database=database, rule=RULE, max_rows=5, pause_seconds=0.0001)

    for number in range(3):
        await bench.batch([], partition=number)  # as a consumer makes all checkpoints before it reads anything
    for _ in range(45):
        world.produce()
        await world.consume()
        await pruner.prune_once()

    assert pruner.describe()["pruned"] > 10
    assert world.refused > 3
    assert world.repeated > 10
    assert await bench.rows("SELECT count(*), max(version) FROM users") == [(len(world.applied), 1)]
