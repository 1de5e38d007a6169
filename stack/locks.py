"""Locks between processes."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold_lock(cache: Path, name: str) -> Iterator[None]:
    """Holds a lock between processes; the system frees it when its holder dies, however it dies.

    Args:
        cache: the cache directory.
        name: what is locked. Order where two are taken: an instance's name first, then "instances".
    """
    directory = cache / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
