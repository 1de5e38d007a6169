"""The identity of a command comes from its key alone, whoever reads it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from api.asked import KeyFormError, ask_again, ask_anew

NOON = datetime(2026, 5, 4, 12, 0, 0, 123_456, tzinfo=UTC)


def test_new_id_is_a_version_7_that_names_its_time() -> None:
    asked = ask_anew(NOON)

    assert (UUID(asked.id).version, UUID(asked.id).variant) == (7, "specified in RFC 4122")
    assert asked.time == NOON.replace(microsecond=123_000)
    assert not asked.again


def test_key_names_the_same_command_to_whoever_reads_it() -> None:
    first = ask_anew(NOON)
    again = [ask_again(first.id), ask_again(f'"{first.id}"'), ask_again(first.id.upper())]

    assert [(each.id, each.time, each.again) for each in again] == [(first.id, first.time, True)] * 3


def test_ids_of_one_moment_differ_and_those_of_later_ones_are_greater() -> None:
    same = {ask_anew(NOON).id for _ in range(1_000)}

    assert len(same) == 1_000
    assert max(same) < ask_anew(NOON + timedelta(milliseconds=1)).id


@pytest.mark.parametrize("key", ["", '""', "key", "5a1f3c1e-7f0b-4c7e-9d0a-3b1f6f0c2d11", "ffffffff-ffff-7000-8000-0"])
def test_other_keys_are_none(key: str) -> None:
    with pytest.raises(KeyFormError, match="must be a UUID version 7"):
        ask_again(key)
