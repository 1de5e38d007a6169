"""Derived ids and key hashes are the same everywhere and for ever."""

import os
import uuid

import pytest
from aiokafka.partitioner import DefaultPartitioner, murmur2

from messages import ids
from messages.keys import SLOTS, hash_key, partition_of, slot_of


def test_derived_ids_are_uuid_version_5_of_the_compact_json_array():
    expected = uuid.uuid5(ids.NAMESPACE, '["/shop","42","event",0]')

    assert ids.CommandIds("/shop", "42").event(0) == str(expected)
    assert uuid.UUID(ids.CommandIds("/shop", "42").event(0)).version == 5


def test_derived_ids_never_change():
    assert ids.CommandIds("/shop", "42").event(0) == "4d7674ff-4f81-5aa1-9cb2-9ccdeb9d9b77"
    assert ids.CommandIds("/shop", "42").outcome(1) == "4847414b-5963-55ed-9818-51f2ddd02acc"
    assert ids.dead_letter_id("squad.commands", 3, 99, 1777896000000) == "bc71b9bc-7330-5e8a-a085-d9939eaa9bba"


def test_ids_of_unlike_things_differ():
    one, other = ids.CommandIds("a", "b"), ids.CommandIds("ab", "")

    assert len({one.event(1), one.event(2), one.new("event", 3), one.outcome(1), other.event(1)}) == 5


@pytest.mark.parametrize("length", range(12))
def test_keys_hash_as_the_java_producer_hashes_them(length):
    key = os.urandom(length)

    assert hash_key(key) == murmur2(key) & 0x7FFFFFFF


def test_partition_is_the_one_that_aiokafka_chooses():
    for _ in range(100):
        key = str(uuid.uuid4()).encode()
        assert partition_of(key, 7) == DefaultPartitioner()(key, list(range(7)), list(range(7)))


def test_absent_key_has_the_slot_of_an_empty_one():
    assert slot_of(None) == slot_of(b"")
    assert 0 <= slot_of(b"key") < SLOTS
