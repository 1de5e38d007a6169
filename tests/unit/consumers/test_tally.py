"""What is counted of batches that fail: one change for each state, not for each attempt."""

from collections import Counter
from time import monotonic

import pytest

from consumers.checkpoints import FencedError
from consumers.culprits import Culprit
from consumers.failures import Settler
from consumers.inbox import RivalError
from consumers.records import Batch, Partition
from db.errors import Failure
from db.telling import HalfDeployedError
from tests.making import TOPIC, FakeRecord
from tests.sources import Readers

BEGIN = Partition(TOPIC, 0)


class MissingTableError(Exception):
    """As a driver says it."""

    sqlstate = "42P01"


class Scripted:
    """Raises what it was given, one after the other, and looks at the tally each time; then it applies."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.waiting: list[Counter[Failure]] = []
        self.settler: Settler

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]:
        self.waiting.append(+self.settler.tally.waiting)
        if self.errors:
            raise self.errors.pop(0)
        return Counter(applied=len(batch.records))


def batch(size: int = 1) -> Batch:
    records = [FakeRecord(key=b"", value=b"", partition=0, offset=offset) for offset in range(size)]
    return Batch(records, {BEGIN: 0}, 1)


def settler(scripted: Scripted, attempts: int = 3, deploy_seconds: float = 60) -> Settler:
    scripted.settler = Settler(
        processor=scripted,
        source=Readers(),
        attempts=attempts,
        deploy_seconds=deploy_seconds,
        backoff_seconds=0.001,
        backoff_most_seconds=0.002,
    )
    return scripted.settler


async def test_state_that_lasts_for_many_attempts_is_one_trouble():
    scripted = Scripted(*(ConnectionError() for _ in range(5)))
    made = settler(scripted)

    await made.settle(batch())

    assert made.tally.troubles == {Failure.TRANSIENT: 1}
    assert made.tally.retries == {Failure.TRANSIENT: 5}
    assert scripted.waiting == [Counter(), *[Counter({Failure.TRANSIENT: 1})] * 5]
    assert +made.tally.waiting == Counter(), "it goes on"


async def test_failure_of_another_kind_is_another_state():
    scripted = Scripted(ConnectionError(), MissingTableError(), ConnectionError())
    made = settler(scripted)

    await made.settle(batch())

    assert made.tally.troubles == {Failure.TRANSIENT: 2, Failure.HALF_DEPLOYED: 1}
    assert scripted.waiting[2] == Counter({Failure.HALF_DEPLOYED: 1})
    assert +made.tally.waiting == Counter()


class Slow(Scripted):
    """Each attempt takes seven seconds of a clock of its own."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__(*errors)
        self.now = monotonic()

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]:
        self.now += 7
        return await super().apply(batch, culprit)


async def test_half_done_deploy_is_waited_for_from_where_it_begins_not_from_an_outage_before_it(monkeypatch):
    scripted = Slow(*(ConnectionError() for _ in range(10)), *(MissingTableError() for _ in range(3)))
    for module in ("consumers.applying", "db.telling"):
        monkeypatch.setattr(f"{module}.monotonic", lambda: scripted.now)

    await settler(scripted, deploy_seconds=60).settle(batch())

    assert scripted.errors == []
    scripted.errors = [MissingTableError() for _ in range(12)]
    with pytest.raises(HalfDeployedError):
        await scripted.settler.settle(batch())


async def test_nobody_waits_for_a_batch_that_ends_otherwise():
    made = settler(Scripted(ConnectionError(), FencedError(BEGIN, 0, 7)))

    await made.settle(batch())

    assert made.tally.fenced == 1
    assert +made.tally.waiting == Counter()


class ClashError(Exception):
    """As a driver says it."""

    sqlstate = "23505"


class Poisoned(Scripted):
    """Fails with every batch that has the record of one offset, until that is to become a dead letter."""

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]:
        if culprit is None and any(record.offset == 2 for record in batch.records):
            raise ZeroDivisionError
        return Counter()


async def test_way_to_a_culprit_is_counted():
    scripted = Poisoned()
    made = settler(scripted, attempts=4)

    await made.settle(batch(4))

    assert made.tally.bisections == 2
    assert made.tally.culprits == 1
    assert made.tally.retries == {Failure.UNEXPECTED: 3}, "the first of four attempts is none again"
    assert not made.tally.troubles, "nothing is waited for"


async def test_clash_is_tried_again_once():
    made = settler(Scripted(ClashError()))

    await made.settle(batch())

    assert made.tally.retries == {Failure.CLASH: 1}


async def test_rivals_are_counted():
    made = settler(Scripted(RivalError("faster"), RivalError("again")))

    await made.settle(batch())

    assert made.tally.rivals == 2
    assert not made.tally.troubles
