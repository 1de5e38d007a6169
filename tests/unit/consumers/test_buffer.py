"""What was read ahead is bounded, and no partition keeps another waiting."""

from consumers.buffer import LaneBuffer
from consumers.records import Partition
from tests.making import TOPIC, FakeRecord

HOT, COLD, LARGE = (Partition(TOPIC, number) for number in range(3))


def records(partition: Partition, count: int, size: int = 1) -> list[FakeRecord]:
    return [FakeRecord(key=b"", value=b"x" * size, partition=partition.number, offset=each) for each in range(count)]


def shares(buffer: LaneBuffer) -> dict[int, int]:
    taken = [each.partition for each in buffer.take()]
    return {number: taken.count(number) for number in sorted(set(taken))}


def test_every_partition_has_its_share_of_a_batch_and_what_is_left_goes_to_who_has_more():
    buffer = LaneBuffer(max_records=100, max_bytes=10_000)
    buffer.add(HOT, records(HOT, 1_000))
    buffer.add(COLD, records(COLD, 10))
    buffer.add(LARGE, records(LARGE, 60))

    assert shares(buffer) == {0: 45, 1: 10, 2: 45}
    assert shares(buffer) == {0: 85, 2: 15}
    assert shares(buffer) == {0: 100}


def test_batch_has_room_for_fewer_records_than_there_are_partitions():
    buffer = LaneBuffer(max_records=2, max_bytes=10_000)
    for partition in (HOT, COLD, LARGE):
        buffer.add(partition, records(partition, 2))

    assert [shares(buffer) for _ in range(3)] == [{0: 1, 1: 1}, {0: 1, 2: 1}, {1: 1, 2: 1}]
    assert not buffer.filled.is_set()


def test_large_record_is_not_kept_waiting_by_small_ones():
    buffer = LaneBuffer(max_records=100, max_bytes=50)
    buffer.add(HOT, records(HOT, 1_000))
    buffer.add(LARGE, records(LARGE, 1, size=40))

    assert shares(buffer) == {0: 50}, "half of the places are a hot partition's share, and fill the bytes"
    assert shares(buffer) == {0: 10, 2: 1}


def test_order_within_a_partition_is_kept():
    buffer = LaneBuffer(max_records=7, max_bytes=10_000)
    buffer.add(HOT, records(HOT, 20))
    buffer.add(COLD, records(COLD, 20))

    taken = [record for _ in range(6) for record in buffer.take()]

    for partition in (HOT, COLD):
        assert [each.offset for each in taken if each.partition == partition.number] == list(range(20))


def test_no_more_is_read_ahead_than_two_batches():
    buffer = LaneBuffer(max_records=10, max_bytes=100)
    assert buffer.room.is_set()

    buffer.add(HOT, records(HOT, 20))
    assert not buffer.room.is_set()
    buffer.take()
    assert buffer.room.is_set()
    buffer.add(LARGE, records(LARGE, 1, size=190))
    assert not buffer.room.is_set(), "bytes count as well"
    buffer.drop(LARGE)
    assert buffer.room.is_set()
    assert buffer.filled.is_set()
    buffer.drop(HOT)
    assert not buffer.filled.is_set()


def test_headers_fill_a_batch_too():
    """A gigabyte at once cannot be sent to the database, and nobody says which record is at fault."""
    buffer = LaneBuffer(max_records=100, max_bytes=1_000)
    made = records(HOT, 10, size=0)
    for each in made:
        each.headers = [("h" * 100, b"x" * 300)]
    buffer.add(HOT, made)

    assert shares(buffer) == {0: 2}
    assert not buffer.room.is_set()
