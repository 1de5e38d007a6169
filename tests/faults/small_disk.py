"""A server's data on a file system so small that it can be filled, which takes root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from stack.local_stack import LocalStack

_MIB: Final = 1024 * 1024


@cache
def why_no_disk() -> str:
    """Say why no file system can be mounted here, or nothing."""
    if os.geteuid() != 0:
        return "mounting a small file system takes root"
    with TemporaryDirectory() as directory:
        said = _mount(Path(directory), size_mib=1)
        if said.returncode == 0:
            _unmount(Path(directory))
    return "" if said.returncode == 0 else f"no file system can be mounted: {said.stderr.strip()}"


class Disk:
    """A file system that a server has to itself.

    Args:
        directory: where it is mounted.
    """

    def __init__(self, directory: Path) -> None:
        self._ballast = directory / "somebody-elses"

    @property
    def free_bytes(self) -> int:
        """How much can still be written."""
        return shutil.disk_usage(self._ballast.parent).free

    def fill(self) -> None:
        """Take all the space that there is, as somebody else's file does."""
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            while file.write(b"\0" * _MIB):
                pass

    def free(self) -> None:
        """Remove that file."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def on_small_disk(servers: LocalStack, *, size_mib: int) -> Iterator[Disk]:
    """Have PostgreSQL's data on a small file system while the block runs; its server has ended afterwards.

    Args:
        servers: of which it is one; it is started anew.
        size_mib: of the file system; its data must fit in.
    """
    data = servers.directory / "postgres"
    aside = data.with_name("postgres-before")
    servers.postgres.stop()
    data.rename(aside)
    data.mkdir()
    _mount(data, size_mib=size_mib).check_returncode()
    try:
        # With owners, which Python's own copying leaves out.
        subprocess.run(["cp", "-a", f"{aside}/.", str(data)], check=True)  # noqa: S607 - wherever the machine has it
        servers.postgres.start()
        yield Disk(data)
    finally:
        servers.postgres.kill()
        _unmount(data)


def _mount(directory: Path, *, size_mib: int) -> subprocess.CompletedProcess[str]:
    options = f"size={size_mib}m,mode=0700"
    return subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "squad-tests", str(directory)],  # noqa: S607 - likewise
        capture_output=True,
        text=True,
        check=False,
    )


def _unmount(directory: Path) -> None:
    # Lazily: whoever still looks into it does not keep it.
    subprocess.run(["umount", "--lazy", str(directory)], check=True)  # noqa: S607 - likewise
