"""`python -m tests.faults.nursery`: a warmed-up process that forks `squad` processes, each in milliseconds.

It reads a line of JSON for each process that is wanted, and writes one when it runs and one when it has ended. A child
is a process like any other, but for its imports, which it has from here, and for the hook, if one is asked for: a
function of the tests' that is called before `squad` begins, such as to end it at a certain statement.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
from typing import Any, NoReturn

import app.cli.main
import app.life
import app.settings

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux' prctl(2)."""


def _become(wanted: dict[str, Any], parent: int) -> NoReturn:
    """Be the process that is wanted, in the fork."""
    code = 1
    try:
        os.setsid()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(wanted["environment"])
        sys.argv = ["squad", *wanted["arguments"]]
        if wanted["hook"] is not None:
            module, _, name = wanted["hook"].partition(":")
            getattr(importlib.import_module(module), name)(**wanted["hook_arguments"])
        app.cli.main.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the log has it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Fork whatever is asked for, until the asker is gone."""
    gc.collect()
    gc.freeze()
    parent = os.getpid()
    children: dict[int, tuple[int, int]] = {}
    unread = b""
    while True:
        ready, _, _ = select.select([0, *children], [], [])
        for ended in set(ready) - {0}:
            number, pid = children.pop(ended)
            os.close(ended)
            _tell(number=number, ended=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if 0 in ready:
            read = os.read(0, 1 << 20)
            if not read:
                break
            *lines, unread = (unread + read).split(b"\n")
            for line in lines:
                wanted = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    _become(wanted, parent)
                children[os.pidfd_open(pid)] = wanted["number"], pid
                _tell(number=wanted["number"], pid=pid)
    for _, pid in children.values():
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
