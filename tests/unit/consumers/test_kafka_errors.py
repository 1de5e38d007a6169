"""What each error of the Kafka client means to who reads: whether the records are at fault, or Kafka."""

import pytest

from consumers.comparison import is_undecodable
from tests.kafka_classes import ALL, make

UNDECODABLE = {"CorruptRecordException", "UnsupportedCodecError"}


def test_only_what_the_client_cannot_decode_is_the_records_fault() -> None:
    """All others are Kafka's: every partition is read again from its checkpoint, for as long as it takes."""
    assert {name for name in ALL if is_undecodable(make(name))} == UNDECODABLE


@pytest.mark.parametrize("error", [ValueError("a header"), UnicodeDecodeError("utf-8", b"", 0, 1, "a header's name")])
def test_defects_of_records_that_the_client_meets_without_a_class_for_them_are_the_records_fault(
    error: Exception,
) -> None:
    assert is_undecodable(error)
