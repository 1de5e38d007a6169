"""A bad command anywhere in a batch: the batch leaves what its commands leave one by one, and only that."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import pytest

from tests.applying import Bench
from tests.bad_commands import KINDS, strewn_with_bad
from tests.good_commands import good_commands, mixed_commands
from tests.ground import GROUND, PERMISSIONS
from tests.making import FakeRecord, record
from tests.rehearsal import Rehearsal, rehearsing
from tests.traces import Row, Trace, in_order, trace

SIZE = 200
"""Commands of a batch, the bad one among them."""

BAD = "bad"


def bench_on(database) -> Bench:
    return Bench(database, permissions=PERMISSIONS, replies=["shop.outcomes"])


@pytest.fixture
def bench(database) -> Bench:
    return bench_on(database)


def good_records() -> list[FakeRecord]:
    commands = islice(good_commands(), SIZE - 1)
    return [record(command, command_id=good_id(number)) for number, command in enumerate(commands)]


def good_id(number: int) -> str:
    return f"good-{number:03}"


Trial = tuple[int, str]
"""A place in the batch, and the kind of the bad command that is put there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneByOne:
    """What commands leave one by one.

    Args:
        good: the trace of each good one.
        bad: the trace of the bad one of each trial, applied when it was its turn.
        end: what is there when all the good ones are applied.
    """

    good: list[Trace]
    bad: dict[Trial, Trace]
    end: Trace

    def expect(self, ground: Trace, trial: Trial) -> Trace:
        """Give what a whole batch is to leave: the good ones' own, and in its place what the bad one left."""
        place, bad = trial[0], self.bad[trial]
        outbox: list[Row] = [*ground.outbox]
        inbox: list[Row] = [*ground.inbox]
        for number, each in enumerate(self.good):
            if number == place:
                outbox += bad.outbox
            outbox += each.outbox
            inbox += each.later(1) if number >= place else each.inbox
        if place == len(self.good):
            outbox += bad.outbox
        return Trace(
            outbox=outbox,
            inbox=in_order([*inbox, *bad.inbox]),
            letters=[*ground.letters, *bad.letters],
            state=self.end.state,
            checkpoints=self.end.checkpoints | {0: SIZE},
        )


async def apply_one_by_one(
    rehearsal: Rehearsal, ground: Trace, good: Sequence[FakeRecord], trials: Iterable[Trial]
) -> OneByOne:
    """Apply the good ones, each as a batch of its own; before each, try the bad ones whose place that is."""
    bad: dict[Trial, Trace] = {}
    at: dict[int, list[Trial]] = {place: [] for place in range(SIZE)}
    for trial in trials:
        at[trial[0]].append(trial)
    async with rehearsal.taken_back():
        bench = bench_on(rehearsal)
        await bench.batch([])
        for place in range(SIZE):
            before = await trace(bench) if at[place] else ground
            for trial in at[place]:
                bad[trial] = await try_bad(rehearsal, bench, before, trial)
            if place < len(good):
                assert (await bench.apply(good[place]))["applied"] == 1
        end = await trace(bench)
    return OneByOne(good=[end.of(good_id(number)) for number in range(len(good))], bad=bad, end=end)


async def try_bad(rehearsal: Rehearsal, bench: Bench, before: Trace, trial: Trial) -> Trace:
    label, build = KINDS[trial[1]]
    async with rehearsal.taken_back():
        counts = await bench.apply(build(BAD))
        bench.next_offsets[0] -= 1
        assert counts[label] == 1, f"{trial[1]} became {counts}"
        after = await trace(bench)
    assert after.state == before.state, f"{trial[1]} changed something"
    return after.since(before)


async def assert_batches_leave_what_single_commands_leave(database, trials: Sequence[Trial]) -> None:
    good = good_records()
    await GROUND.lay(bench_on(database))
    async with rehearsing(database) as rehearsal:
        ground = await trace(bench_on(rehearsal))
        one_by_one = await apply_one_by_one(rehearsal, ground, good, trials)
        for trial in trials:
            place, name = trial
            async with rehearsal.taken_back():
                bench = bench_on(rehearsal)
                counts = await bench.apply(*good[:place], KINDS[name][1](BAD), *good[place:])
                found = await trace(bench)
            assert counts["applied"] == SIZE - 1, f"{name} at {place}"
            assert found == one_by_one.expect(ground, trial), f"{name} at {place}"


async def test_a_bad_command_in_a_batch_of_200_leaves_what_it_leaves_alone(database):
    """Every code and reason has a place, from the first to the last."""
    kinds = [*{label: kind for kind, (label, _) in KINDS.items()}.values()]

    await assert_batches_leave_what_single_commands_leave(
        database, [((SIZE - 1) * number // (len(kinds) - 1), kind) for number, kind in enumerate(kinds)]
    )


@pytest.mark.long_faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("turn", range(4))
async def test_bad_commands_at_each_place_of_a_batch_of_200_leave_what_they_leave_alone(database, quarter, turn):
    """Every kind at every place: a test for each quarter of the batch and, in turn, every fourth kind."""
    await assert_batches_leave_what_single_commands_leave(
        database,
        [
            (place, kind)
            for place in range(SIZE * quarter // 4, SIZE * (quarter + 1) // 4)
            for number, kind in enumerate(KINDS)
            if (place + number) % 4 == turn
        ],
    )


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long_faults) for seed in range(2, 12))])
async def test_the_size_of_batches_makes_no_difference(database, seed):
    """The same 500 commands in batches of 1, 7, 100 and 500: every kind of bad one, repeats and sweeps among them."""
    await GROUND.lay(bench_on(database))
    sources = good_commands(), mixed_commands(seed)
    records = strewn_with_bad(chain.from_iterable(zip(*sources, strict=False)), 500, seed=seed)
    counts: dict[int, Counter[str]] = {}
    traces: dict[int, Trace] = {}
    async with rehearsing(database) as rehearsal:
        for size in (1, 7, 100, 500):
            async with rehearsal.taken_back():
                bench = bench_on(rehearsal)
                counts[size] = Counter()
                for begin in range(0, 500, size):
                    counts[size] += await bench.apply(*records[begin : begin + size])
                traces[size] = await trace(bench)

    assert traces[1] == traces[7] == traces[100] == traces[500]
    assert counts[1] == counts[7] == counts[100] == counts[500]
    assert counts[1]["applied"] > 200
    assert counts[1]["duplicate"] > 10
    assert counts[1].keys() >= {label for label, _ in KINDS.values()}
