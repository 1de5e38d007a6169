"""Locks between processes."""

import subprocess
import sys

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
    with hold_lock(tmp_path, "x"):
        second = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with hold_lock(tmp_path, "y"):
            pass
        # It cannot have said anything while we hold the lock, however long it has had.
        (tmp_path / "released").touch()
    with second:
        assert second.stdout.readline() == b"held\n"
        second.kill()
    with hold_lock(tmp_path, "x"):
        pass
