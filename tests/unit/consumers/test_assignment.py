"""Which partitions are ours and how far they were read, and how records become batches."""

from consumers.assignment import Assignment
from consumers.records import Batch, Partition
from tests.making import TOPIC, FakeRecord

P0, P1, P2, P3 = (Partition(TOPIC, number) for number in range(4))


def records(*places: tuple[int, int], size: int = 10) -> list[FakeRecord]:
    return [FakeRecord(key=b"", value=b"x" * size, partition=partition, offset=offset) for partition, offset in places]


def adopted(*partitions: Partition, lanes: int = 2) -> Assignment:
    assignment = Assignment(lanes=lanes)
    assignment.assign(partitions)
    for partition in partitions:
        assignment.adopt(partition, 5)
    return assignment


def test_partitions_are_dealt_evenly_whatever_their_numbers():
    assignment = adopted(P2, P0)

    assert assignment.adopted_of(0) == [P0]
    assert assignment.adopted_of(1) == [P2]


def test_nothing_is_read_from_a_partition_before_it_is_adopted():
    assignment = Assignment(lanes=1)
    assignment.assign([P0, P1])
    assignment.adopt(P1, 7)

    assert assignment.adopted_of(0) == [P1]
    assert assignment.to_adopt() == {P0}
    assert assignment.changed.is_set()


def test_batch_says_where_its_reading_began_and_the_next_one_begins_at_its_end():
    assignment = adopted(P0, P1, lanes=1)

    first = assignment.make_batch(0, records((0, 5), (0, 9), (1, 6)), max_bytes=1000)
    second = assignment.make_batch(0, records((0, 12)), max_bytes=1000)

    assert first.begins == {P0: 5, P1: 5}, "gaps in offsets are believed: where it began is not its first record"
    assert second.begins == {P0: 10}
    assert assignment.positions == {P0: 13, P1: 7}


def test_what_has_no_room_is_left_over_and_read_by_nobody_else():
    assignment = adopted(P0, lanes=1)

    first = assignment.make_batch(0, records((0, 5), (0, 6), (0, 7)), max_bytes=25)
    assert [each.offset for each in first.records] == [5, 6]
    assert assignment.positions == {P0: 7}

    rest = assignment.take_left_over(0)
    assert [each.offset for each in rest] == [7]
    assert assignment.take_left_over(0) == []


def test_one_record_is_always_taken_however_large():
    assignment = adopted(P0, lanes=1)

    batch = assignment.make_batch(0, records((0, 5), (0, 6), size=100), max_bytes=10)

    assert [each.offset for each in batch.records] == [5]


def test_forgetting_a_partition_drops_the_left_over_run_it_is_in():
    assignment = adopted(P0, P1, lanes=1)
    assignment.make_batch(0, records((0, 5), (0, 6), (1, 5)), max_bytes=15)

    assignment.forget([P0])

    assert assignment.take_left_over(0) == []
    assert assignment.to_adopt() == {P0, P1}, "the other's records were in the dropped run too"


def test_revoked_partitions_leave_nothing_behind():
    assignment = adopted(P0, lanes=1)
    batch = assignment.make_batch(0, records((0, 5), (0, 6)), max_bytes=15)

    assignment.assign([P1])

    assert batch.generation != assignment.generation
    assert (assignment.positions, assignment.take_left_over(0), assignment.to_adopt()) == ({}, [], {P1})


def test_stopped_partition_is_not_adopted_again():
    assignment = adopted(P0, P1)
    assignment.stop(P0, "why")

    assignment.assign([P0, P1])

    assert assignment.to_adopt() == {P1}
    assert assignment.stopped == {P0: "why"}


def test_halves_of_a_batch_continue_each_other():
    batch = Batch(records((0, 5), (1, 3), (0, 6), (2, 9)), {P0: 4, P1: 3, P2: 8}, 1)

    left, right = batch.halves()

    assert ([each.offset for each in left.records], left.begins) == ([5, 3], {P0: 4, P1: 3})
    assert ([each.offset for each in right.records], right.begins) == ([6, 9], {P0: 6, P2: 8})


def test_leaving_out_partitions_leaves_the_others_as_they_were():
    batch = Batch(records((0, 5), (1, 3)), {P0: 4, P1: 3}, 1)

    rest = batch.without(frozenset({P0}))

    assert ([each.offset for each in rest.records], rest.begins) == ([3], {P1: 3})
