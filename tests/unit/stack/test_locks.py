"""Locks between processes."""

import fcntl
import subprocess
import sys

import pytest

from stack.locks import hold_lock

HOLDER = """
import sys
from pathlib import Path
from stack.locks import hold_lock
with hold_lock(Path(sys.argv[1]), "x"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_had_by_one_process_and_freed_when_that_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with hold_lock(tmp_path, "y"), (tmp_path / "locks" / "x").open() as same, pytest.raises(BlockingIOError):
            fcntl.flock(same, fcntl.LOCK_SH | fcntl.LOCK_NB)
        holder.kill()

    with hold_lock(tmp_path, "x"):
        pass
