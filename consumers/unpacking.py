"""How large a batch of records may become when it is unpacked: nothing in the client bounds it, so it is bounded here.

Producers compress; nine kilobytes of zstd were made that unpack to 300 MB, and whoever fetches them is killed for it,
begins again, and fetches them again. So the client's unpacking is replaced by ours, which ends at a limit with an
error: such a batch is then one that cannot be read, which stops its partition and no other. The bound is the process's.
"""

import gzip
import io
import mmap
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from importlib import import_module
from types import ModuleType
from typing import Final

import cramjam
from aiokafka.record import default_records, legacy_records

DEFAULT_BYTES: Final = 64 * 1024 * 1024

XERIAL: Final = b"\x82SNAPPY\0"
"""How snappy begins in the framing of Java's library: then two versions, then blocks with their sizes in front."""
_XERIAL_HEADER_BYTES: Final = 16
_FULL: Final = "whole buffer"
"""What the library says when there is more to unpack than fits."""

_COMPILED: Final = ("aiokafka.record._crecords.default_records", "aiokafka.record._crecords.legacy_records")
"""What the client reads batches with, where it could be compiled."""

_bound_bytes = DEFAULT_BYTES


class UnpackedTooLargeError(Exception):
    """A batch unpacks to more than the bound."""


def bound(max_bytes: int | None = None) -> None:
    """Bound what all clients of this process unpack a batch to.

    Args:
        max_bytes: the bound from now on; `None`: the one there is.
    """
    global _bound_bytes
    _bound_bytes = max_bytes or _bound_bytes
    for module in _modules():
        for name, unpack in _UNPACKERS.items():
            if hasattr(module, name):
                setattr(module, name, unpack)


def _modules() -> Iterator[ModuleType]:
    yield from (default_records, legacy_records)
    for name in _COMPILED:
        with suppress(ImportError):
            yield import_module(name)


def unpack_gzip(payload: memoryview) -> bytes:
    """Unpack gzip, in as many members as it has."""
    with gzip.GzipFile(fileobj=io.BytesIO(payload), mode="r") as packed:
        content: bytes = packed.read(_bound_bytes + 1)
    if len(content) > _bound_bytes:
        raise _too_large()
    return content


def unpack_zstd(payload: bytes) -> bytes:
    """Unpack zstd."""
    return _unpack_into(cramjam.zstd.decompress_into, payload)


def unpack_lz4(payload: bytes) -> bytes:
    """Unpack frames of lz4."""
    return _unpack_into(cramjam.lz4.decompress_into, payload)


def unpack_snappy(payload: bytes) -> bytes:
    """Unpack snappy, in Java's framing or without one. Each block begins with its size, for which room is made."""
    if payload[: len(XERIAL)] != XERIAL or len(payload) <= _XERIAL_HEADER_BYTES:
        blocks = [payload]
    else:
        blocks = []
        at = _XERIAL_HEADER_BYTES
        while at < len(payload):
            size = int.from_bytes(payload[at : at + 4], "big")
            blocks.append(payload[at + 4 : at + 4 + size])
            at += 4 + size
    if sum(map(_size_of_snappy, blocks)) > _bound_bytes:
        raise _too_large()
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _size_of_snappy(block: bytes) -> int:
    """Read what a block says of its size: seven bits of it in each byte, the lowest first, up to one below 128."""
    size = 0
    for place, byte in enumerate(block[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    return size


def _unpack_into(unpack: Callable[[bytes, mmap.mmap], int], payload: bytes) -> bytes:
    # Pages that nobody writes to are never there, so a bound far above what most batches need costs them nothing.
    with closing(mmap.mmap(-1, _bound_bytes)) as room:
        try:
            return room[: unpack(payload, room)]
        except cramjam.DecompressionError as error:
            if _FULL in str(error):
                raise _too_large() from None
            raise


def _too_large() -> UnpackedTooLargeError:
    return UnpackedTooLargeError(f"a batch of records unpacks to more than {_bound_bytes} bytes")


_UNPACKERS: Final = {
    "gzip_decode": unpack_gzip,
    "snappy_decode": unpack_snappy,
    "lz4_decode": unpack_lz4,
    "zstd_decode": unpack_zstd,
}
