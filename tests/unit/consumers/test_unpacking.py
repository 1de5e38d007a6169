"""What a batch of records unpacks to is bounded, in every codec, in the client's own reading of it."""

from collections.abc import Callable

import pytest
from aiokafka import codec
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumers import unpacking
from consumers.unpacking import UnpackedTooLargeError

BOUND = 1024 * 1024
CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
PACKED_BY_THE_CLIENT: dict[str, tuple[Callable[..., bytes], ...]] = {
    "gzip": (codec.gzip_encode, codec.gzip_decode, unpacking.unpack_gzip),
    "snappy in Java's framing": (codec.snappy_encode, codec.snappy_decode, unpacking.unpack_snappy),
    "snappy": (
        lambda content: bytes(codec.snappy_encode(content, xerial_compatible=False)),
        codec.snappy_decode,
        unpacking.unpack_snappy,
    ),
    "lz4": (codec.lz4_encode, codec.lz4_decode, unpacking.unpack_lz4),
    "zstd": (codec.zstd_encode, codec.zstd_decode, unpacking.unpack_zstd),
}


@pytest.fixture(autouse=True)
def low_bound():
    unpacking.bound(BOUND)
    yield
    unpacking.bound(unpacking.DEFAULT_BYTES)


def batch_of(codec_number: int, value: bytes) -> DefaultRecordBatch:
    builder = DefaultRecordBatchBuilder(2, codec_number, False, -1, -1, -1, 1 << 30)
    builder.append(0, timestamp=1, key=b"k", value=value, headers=[])
    return DefaultRecordBatch(bytearray(builder.build()))


@pytest.mark.parametrize("number", CODECS.values(), ids=CODECS)
def test_client_reads_batches_up_to_the_bound_and_no_further(number):
    [record] = batch_of(number, b"x" * (BOUND - 100))
    assert len(record.value) == BOUND - 100

    with pytest.raises(UnpackedTooLargeError, match="more than 1048576 bytes"):
        list(batch_of(number, b"x" * BOUND))


@pytest.mark.parametrize("name", PACKED_BY_THE_CLIENT)
@pytest.mark.parametrize("size", [1, 100, 40_000, BOUND])
def test_what_is_unpacked_is_what_the_client_unpacks(name, size):
    pack, theirs, ours = PACKED_BY_THE_CLIENT[name]
    content = bytes(each * each % 251 for each in range(size // 2)) + bytes(size - size // 2)
    packed = pack(content)

    assert ours(packed) == theirs(packed) == content


@pytest.mark.parametrize("name", PACKED_BY_THE_CLIENT)
def test_what_is_damaged_is_refused_as_the_client_refuses_it(name):
    pack, theirs, ours = PACKED_BY_THE_CLIENT[name]
    packed = pack(b"so it goes " * 1_000)
    for damaged in (packed[: len(packed) // 2], packed[:-1], b"\xff" * 40):
        found: list[bytes | str] = []
        for unpack in (theirs, ours):
            try:
                found.append(unpack(damaged))
            except UnpackedTooLargeError:
                found.append("refused")
            except Exception:  # noqa: BLE001 - whatever each raises
                found.append("refused")
        assert found[0] == found[1]


def test_size_that_a_block_of_snappy_only_claims_is_refused_before_room_is_made():
    with pytest.raises(UnpackedTooLargeError):
        unpacking.unpack_snappy(b"\xff\xff\xff\xff\x0f" + b"x" * 10)
