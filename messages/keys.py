"""Where a key goes: Kafka's murmur2, its partitions, and the outbox's slots."""

import struct
from functools import lru_cache
from typing import Final

SLOTS: Final = 1024
"""Shards of the relay are ranges of slots. A power of two, so that for such partition counts the slot tells enough."""

_MASK: Final = 0xFFFFFFFF
_MULTIPLIER: Final = 0x5BD1E995


@lru_cache(maxsize=65536)
def hash_key(key: bytes) -> int:
    """Give the positive 32-bit murmur2 of a key, as Kafka's Java producer has it (`Utils.toPositive(murmur2(key))`).

    Args:
        key: the record's key; an absent key counts as empty.
    """
    length = len(key)
    h = 0x9747B28C ^ length
    whole = length & ~3
    # All words by one call: unpacking them one by one costs more than hashing them.
    for word in struct.unpack(f"<{whole >> 2}I", key[:whole]):
        k = word * _MULTIPLIER & _MASK
        h = (h * _MULTIPLIER & _MASK) ^ ((k ^ (k >> 24)) * _MULTIPLIER & _MASK)
    if whole < length:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _MASK
    h = (h ^ (h >> 13)) * _MULTIPLIER & _MASK
    return (h ^ (h >> 15)) & 0x7FFFFFFF


def slot_of(key: bytes | None) -> int:
    """Give the slot, 0 to 1023, of a record's key."""
    return hash_key(key or b"") % SLOTS


def partition_of(key: bytes | None, partitions: int) -> int:
    """Give the Kafka partition of a record's key among `partitions`, as the Java producer and aiokafka choose it."""
    return hash_key(key or b"") % partitions
