"""Which partitions are ours and how far they were read, and how records become batches."""

from consumers.assignment import Assignment
from consumers.checkpoints import Checkpoint
from consumers.records import Batch, Partition, partition_of
from db.controls import Pauses
from tests.making import NOON, TOPIC, FakeRecord

P0, P1, P2, P3 = (Partition(TOPIC, number) for number in range(4))


def records(*places: tuple[int, int], size: int = 10) -> list[FakeRecord]:
    return [FakeRecord(key=b"", value=b"x" * size, partition=partition, offset=offset) for partition, offset in places]


def empty(lanes: int = 2, max_bytes: int = 1000) -> Assignment:
    return Assignment(lanes=lanes, max_records=10, max_bytes=max_bytes)


def adopted(*partitions: Partition, lanes: int = 2, max_bytes: int = 1000) -> Assignment:
    assignment = empty(lanes, max_bytes)
    assignment.assign(partitions)
    for partition in partitions:
        assignment.adopt(partition, Checkpoint(next_offset=5))
    return assignment


def keep(assignment: Assignment, *kept: FakeRecord) -> None:
    for each in kept:
        assignment.keep(partition_of(each), [each])


def taken(assignment: Assignment, lane: int = 0) -> Batch:
    batch = assignment.take_batch(lane)
    assert batch is not None
    return batch


def offsets(batch: Batch) -> list[int]:
    return [each.offset for each in batch.records]


def test_partitions_are_dealt_evenly_whatever_their_numbers():
    assignment = adopted(P2, P0)

    assert assignment.adopted_of(0) == [P0]
    assert assignment.adopted_of(1) == [P2]


def test_nothing_is_read_from_a_partition_before_it_is_adopted():
    assignment = empty(lanes=1)
    assignment.assign([P0, P1])
    assignment.adopt(P1, Checkpoint(next_offset=7))

    assert assignment.adopted_of(0) == [P1]
    assert assignment.to_adopt() == {P0}
    assert assignment.changed.is_set()


def test_batch_says_where_its_reading_began_and_the_next_one_begins_at_its_end():
    assignment = adopted(P0, P1, lanes=1)

    keep(assignment, *records((0, 5), (0, 9), (1, 6)))
    first = taken(assignment)
    keep(assignment, *records((0, 12)))
    second = taken(assignment)

    assert first.begins == {P0: 5, P1: 5}, "gaps in offsets are believed: where it began is not its first record"
    assert second.begins == {P0: 10}
    assert assignment.positions == {P0: 13, P1: 7}
    assert assignment.take_batch(0) is None


def test_what_has_no_room_stays_for_the_next_batch():
    assignment = adopted(P0, lanes=1, max_bytes=25)
    keep(assignment, *records((0, 5), (0, 6), (0, 7)))

    assert offsets(taken(assignment)) == [5, 6]
    assert assignment.positions == {P0: 7}
    assert assignment.end_of(P0) == 8
    assert offsets(taken(assignment)) == [7]


def test_one_record_is_always_taken_however_large():
    assignment = adopted(P0, lanes=1, max_bytes=10)
    keep(assignment, *records((0, 5), (0, 6), size=100))

    assert offsets(taken(assignment)) == [5]


def test_forgetting_a_partition_drops_what_was_read_of_it_and_of_no_other():
    assignment = adopted(P0, P1, lanes=1)
    keep(assignment, *records((0, 5), (0, 6), (1, 5)))

    assignment.forget([P0])

    assert assignment.to_adopt() == {P0}
    assert taken(assignment).begins == {P1: 5}


def test_revoked_partitions_leave_nothing_behind():
    assignment = adopted(P0, lanes=1, max_bytes=15)
    keep(assignment, *records((0, 5), (0, 6)))
    batch = taken(assignment)

    assignment.assign([P1])

    assert batch.generation != assignment.generation
    assert (assignment.positions, assignment.take_batch(0), assignment.to_adopt()) == ({}, None, {P1})


def test_stopped_partition_is_not_adopted_again_until_its_checkpoint_is_moved():
    assignment = adopted(P0, P1)
    assignment.stop(P0, "why", 9)

    assignment.assign([P0, P1])
    assert assignment.to_adopt() == {P1}
    stop = assignment.stops[P0]
    assert stop.why == "why"
    assert not stop.is_over(Checkpoint(next_offset=9))
    assert stop.is_over(Checkpoint(next_offset=10))
    assert stop.is_over(Checkpoint(next_offset=9, accepted_at=NOON)), "accepted where it was: try once more"

    assignment.go_on(P0)
    assert assignment.to_adopt() == {P0, P1}


def test_paused_partition_is_dropped_from_memory_and_not_adopted_by_whoever_gets_it():
    assignment = adopted(P0, P1, lanes=1)
    keep(assignment, *records((0, 5), (0, 6), (1, 5)))
    under_way = taken(assignment)
    keep(assignment, *records((0, 7), (1, 6)))

    assignment.pause(Pauses({str(P0): "why"}))

    assert under_way.generation == assignment.generation, "what is in a transaction is finished"
    assert offsets(taken(assignment)) == [6], "of the other one only"
    assert (assignment.adopted_of(0), assignment.to_adopt(), assignment.paused) == ([P1], set(), {P0: "why"})
    assignment.adopt(P0, Checkpoint(next_offset=7))
    assert P0 not in assignment.positions, "its adoption had begun before"

    assignment.assign([P0, P2])
    assert (assignment.to_adopt(), assignment.paused) == ({P2}, {P0: "why"})
    assignment.changed.clear()
    assignment.pause(Pauses())
    assert (assignment.to_adopt(), assignment.paused) == ({P0, P2}, {})
    assert assignment.changed.is_set(), "it goes on at once"


def test_pause_of_the_consumer_is_one_of_every_partition():
    assignment = adopted(P0, P1)

    assignment.pause(Pauses({"consumer": "why", "relay": "another"}))

    assert assignment.paused == {P0: "why", P1: "why"}
    assert not assignment.positions


def test_partition_is_stopped_behind_what_was_read_of_it():
    assignment = adopted(P0, P1, lanes=1, max_bytes=15)
    keep(assignment, *records((0, 5), (0, 6)))

    assignment.stop_behind(P0, "why")
    assignment.stop_behind(P1, "nothing of it is left")

    assert assignment.adopted_of(0) == [], "neither is read further"
    assert set(assignment.stops) == {P1}
    assert [offsets(taken(assignment)), offsets(taken(assignment))] == [[5], [6]]
    assert assignment.stops[P0].next_offset == 7


def test_halves_of_a_batch_continue_each_other():
    batch = Batch(records((0, 5), (1, 3), (0, 6), (2, 9)), {P0: 4, P1: 3, P2: 8}, 1)

    left, right = batch.halves()

    assert ([each.offset for each in left.records], left.begins) == ([5, 3], {P0: 4, P1: 3})
    assert ([each.offset for each in right.records], right.begins) == ([6, 9], {P0: 6, P2: 8})


def test_leaving_out_partitions_leaves_the_others_as_they_were():
    batch = Batch(records((0, 5), (1, 3)), {P0: 4, P1: 3}, 1)

    rest = batch.without(frozenset({P0}))

    assert ([each.offset for each in rest.records], rest.begins) == ([3], {P1: 3})
