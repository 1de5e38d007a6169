"""When dead letters become too many: counted exactly, whatever the batches."""

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest

from consumers.breaker import Breaker, BreakerLimits, BreakerOpenError
from consumers.records import Partition
from db.controls import BREAKER, CONSUMER, PAUSE, RESET, Control
from tests.making import NOON, TOPIC, FakeRecord

P0, P1, P2 = (Partition(TOPIC, number) for number in range(3))
OFF = BreakerLimits(in_a_row=0, share=0)


def rows(limit: int) -> BreakerLimits:
    return BreakerLimits(in_a_row=limit, share=0)


def made(count: int, partition: Partition = P0) -> list[FakeRecord]:
    return [FakeRecord(key=None, value=None, partition=partition.number, offset=place) for place in range(count)]


def apply(breaker: Breaker, pattern: str, partition: Partition = P0) -> str:
    """Apply a batch as the consumer does, halving where the breaker objects; gives what became of each record.

    `x` is a dead letter, `.` any other record, `-` one that says nothing; what comes after a stop is left out.
    """
    records = [
        FakeRecord(key=None, value=None, partition=partition.number, offset=place) for place in range(len(pattern))
    ]
    kinds = dict(zip(map(id, records), pattern, strict=True))
    done: list[str] = []

    def settle(part: Sequence[FakeRecord]) -> bool:
        letters = [each for each in part if kinds[id(each)] == "x"]
        passed_over = [each for each in part if kinds[id(each)] == "-"]
        try:
            with breaker.admitting(part, letters, passed_over):
                done.extend(kinds[id(each)] for each in part)
        except BreakerOpenError:
            half = len(part) // 2
            return len(part) > 1 and settle(part[:half]) and settle(part[half:])
        return True

    settle(records)
    return "".join(done)


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_so_many_in_a_row_are_let_through_and_no_more(size):
    breaker = Breaker(limits=rows(3), overall=OFF)
    pattern = "x.xx.xx..xxx.xxxx.x"
    done = ""
    while len(done) < len(pattern) and not breaker.open_for:
        done += apply(breaker, pattern[len(done) : len(done) + size])

    assert done == "x.xx.xx..xxx.xxx"
    assert breaker.open_for == {P0: "the last 3 records in a row became dead letters"}
    assert breaker.open_overall is None


def test_what_was_decided_before_or_parked_says_nothing():
    breaker = Breaker(limits=rows(3), overall=OFF)

    assert apply(breaker, "x-x--x-x") == "x-x--x-"


def test_share_of_the_last_records_is_looked_at_once_there_are_so_many():
    limits = BreakerLimits(in_a_row=0, share=0.5, among=8)

    assert apply(Breaker(limits=limits, overall=OFF), "xxxxxxx") == "xxxxxxx", "not so many yet"
    assert apply(Breaker(limits=limits, overall=OFF), "xxxxxxxx") == "xxxxxxx"
    assert apply(Breaker(limits=limits, overall=OFF), "x.x.x.x.x.x.x.x.") == "x.x.x.x.x.x.x.x.", "half is no flood"
    breaker = Breaker(limits=limits, overall=OFF)
    assert apply(breaker, "xxxx....xxxx......xxxxx") == "xxxx....xxxx......xxxx", "what is long ago does not count"
    assert breaker.open_for == {P0: "4 of the last 7 records became dead letters"}


def test_limits_are_off_at_0():
    assert apply(Breaker(limits=OFF, overall=OFF), "x" * 500) == "x" * 500


def test_partitions_are_counted_each_for_itself_and_all_together():
    breaker = Breaker(limits=rows(3), overall=rows(5))

    assert apply(breaker, "xxxx", P0) == "xxx"
    assert apply(breaker, "..", P1) == "..", "others go on"
    assert apply(breaker, "xxx", P1) == "xxx", "up to their own limit"
    assert breaker.open_overall is None
    assert apply(breaker, "xxx.", P2) == "xx"
    assert breaker.open_for[P2] == (
        "the last 5 records in a row became dead letters, in all partitions of this process together"
    )
    assert breaker.open_overall == "the last 5 records in a row became dead letters"
    assert apply(breaker, "..x.", P1) == "..", "what is good goes on, until the next one"
    assert set(breaker.open_for) == {P0, P1, P2}


def test_one_flood_leaves_the_other_partitions_to_their_own_limits_by_default():
    breaker = Breaker()

    assert apply(breaker, "x" * 30, P0) == "x" * 20
    assert apply(breaker, "x.x.x.", P1) == "x.x.x."
    assert (set(breaker.open_for), breaker.open_overall) == ({P0}, None)


def test_dead_letters_that_another_lane_has_under_way_count_for_all():
    breaker = Breaker(limits=OFF, overall=rows(5))
    other = made(3, P1)

    with breaker.admitting(other, other):
        assert apply(breaker, "xxxx") == "xx"
    assert breaker.open_overall is not None


def test_batch_that_is_rolled_back_counts_for_nothing():
    breaker = Breaker(limits=rows(3), overall=rows(3))
    records = made(3)

    for _ in range(5):
        with pytest.raises(ConnectionError), breaker.admitting(records, records):
            raise ConnectionError
    assert apply(breaker, "xxxx") == "xxx"


def test_objection_to_a_whole_batch_is_not_final():
    breaker = Breaker(limits=rows(3), overall=rows(3))
    records = made(4)

    with pytest.raises(BreakerOpenError), breaker.admitting(records, records):
        pytest.fail("it is asked before")
    assert (breaker.open_for, breaker.open_overall) == ({}, None)
    assert apply(breaker, "xxxx") == "xxx", "those in front of the culprit are let through"


def control(target: str, action: str, hours: int) -> Control:
    return Control(target=target, action=action, actor="ada@here", reason="a test", at=NOON + timedelta(hours=hours))


def test_reset_is_obeyed_once_and_not_one_from_before_the_start():
    breaker = Breaker(limits=rows(2), overall=OFF)
    paused, old, new = control(CONSUMER, PAUSE, 0), control(BREAKER, RESET, 0), control(BREAKER, RESET, 1)

    assert not breaker.obey([paused, old])
    assert apply(breaker, "xxx") == "xx"
    assert not breaker.obey([paused, old])
    assert list(breaker.obey([new])) == [P0]
    assert breaker.open_for == {}
    assert apply(breaker, "xxx") == "xx", "counted anew"
    assert not breaker.obey([new])


def test_first_reset_ever_is_obeyed():
    breaker = Breaker(limits=rows(2), overall=OFF)

    assert not breaker.obey([])
    apply(breaker, "xxx")
    assert list(breaker.obey([control(BREAKER, RESET, 0)])) == [P0]


def test_state_is_described():
    breaker = Breaker(limits=rows(2), overall=rows(3))
    apply(breaker, "xxx", P0)
    apply(breaker, "x.", P1)
    apply(breaker, "x", P2)

    why = "the last 2 records in a row became dead letters"
    assert breaker.describe() == {"open": {str(P0): why}, "overall": None, "in_a_row": {str(P0): 2, str(P2): 1}}


@pytest.mark.parametrize("seed", range(30))
def test_any_batches_come_to_what_one_by_one_comes_to(seed):
    chance = random.Random(seed)
    limits = BreakerLimits(in_a_row=chance.choice([0, 3, 5]), share=chance.choice([0, 0.3, 0.5]), among=20)
    pattern = "".join(chance.choices("x.-", weights=(4, 5, 1), k=400))
    one_by_one, in_batches = (Breaker(limits=limits, overall=limits) for _ in range(2))
    expected = "".join(apply(one_by_one, each) for each in first_stop(one_by_one, list(pattern)))
    sizes = [pattern[start : start + 13] for start in range(0, len(pattern), 13)]
    found = "".join(apply(in_batches, each) for each in first_stop(in_batches, sizes))

    assert found == expected == naive(pattern, limits)
    assert in_batches.describe() == one_by_one.describe()


def first_stop(breaker: Breaker, parts: Sequence[str]):
    for each in parts:
        if breaker.open_for:
            return
        yield each


def naive(pattern: str, limits: BreakerLimits) -> str:
    """What the limits say, looked up anew for each record."""
    decided = ""
    for place, each in enumerate(pattern):
        last = (decided + each)[-limits.among :]
        in_a_row = limits.in_a_row and decided.endswith("x" * limits.in_a_row)
        too_many = limits.share and len(last) == limits.among and last.count("x") > limits.share * limits.among
        if each == "x" and (in_a_row or too_many):
            return pattern[:place]
        decided += each.replace("-", "")
    return pattern
