"""What tells a log from another one that took its place, and what the operator reads."""

import pytest
from aiokafka.errors import CorruptRecordException, KafkaConnectionError, UnsupportedCodecError

from consumers.checkpoints import Checkpoint
from consumers.comparison import find_fault_of_range, find_fault_of_record, is_comparable, is_undecodable
from consumers.records import Partition, checksum, moment_of
from tests.making import TOPIC, FakeRecord

PARTITION = Partition(TOPIC, 3)
LAST = FakeRecord(key=b"key", value=b"value", offset=9, timestamp=1_700_000_000_123)
CHECKPOINT = Checkpoint(next_offset=10, last_timestamp=moment_of(LAST), last_checksum=checksum(LAST))


@pytest.mark.parametrize(
    ("start", "end", "fault"),
    [
        (0, 10, None),
        (10, 10, None),
        (10, 20, None),
        (11, 20, "the checkpoint is 10, but the log starts at 11: 1 records are gone unread;"),
        (0, 7, "the checkpoint is 10, but the log ends at 7: it is 3 records short, or another topic;"),
        (0, 0, "the checkpoint is 10, but the log ends at 0: it is 10 records short, or another topic;"),
    ],
)
def test_checkpoint_outside_its_log_is_a_fault_with_a_count(start, end, fault):
    found = find_fault_of_range(PARTITION, CHECKPOINT, start, end)

    assert (found or "").startswith(fault or "")
    assert (found is None) == (fault is None)
    assert found is None or "`squad checkpoints accept 3 --to " in found


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (LAST, None),
        (FakeRecord(key=b"key", value=b"value", offset=9, timestamp=LAST.timestamp + 1), "is not the one"),
        (FakeRecord(key=b"key", value=b"other", offset=9, timestamp=LAST.timestamp), "is not the one"),
        (FakeRecord(key=b"", value=None, offset=9, timestamp=LAST.timestamp), "is not the one"),
        (None, "the record that was applied last, at offset 9, is not there any more"),
        (CorruptRecordException(), "the record at offset 9 cannot be read again (CorruptRecordException"),
    ],
)
def test_record_in_front_of_the_checkpoint_must_be_the_one_applied_last(found, fault):
    said = find_fault_of_record(PARTITION, CHECKPOINT, found, 4, 30)

    assert (said is None) == (fault is None)
    assert (fault or "") in (said or "")
    assert said is None or "6 of its 26 records lie before the checkpoint 10" in said


def test_only_what_the_log_can_still_have_is_compared():
    assert is_comparable(CHECKPOINT, 9)
    assert not is_comparable(CHECKPOINT, 10), "deleted by retention"
    assert not is_comparable(Checkpoint(next_offset=10), 0), "nothing was applied since an operator moved it"


def test_what_the_client_would_raise_for_ever_is_told_from_what_passes():
    assert is_undecodable(UnicodeDecodeError("utf-8", b"", 0, 1, ""))
    assert is_undecodable(CorruptRecordException())
    assert is_undecodable(UnsupportedCodecError())
    assert not is_undecodable(KafkaConnectionError())
