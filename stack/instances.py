"""Named instances on disk: a directory and a state file each, and the sweep of those whose owner died."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stack import processes
from stack.errors import StackError
from stack.processes import ProcessIdentity

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_STATE_FILE = "state.json"
_STOP_PATIENCE_SECONDS = 30.0
_CLEANUP_SECONDS = 120.0


@dataclass(slots=True, kw_only=True)
class Instance:
    """What is known of one instance; `save` after each change, so that a sweep after kill -9 finds every process.

    `kind` is how its servers run: docker, local or embedded. `cleanup` are commands that end what is no process of
    this machine's, such as containers; on record before what they end is made.
    """

    directory: Path
    place: str
    owner: ProcessIdentity
    keep: bool
    ports: Mapping[str, int]
    options: Mapping[str, Any]
    kind: str = "local"
    cleanup: Sequence[Sequence[str]] = ()
    ready: bool = False
    processes: dict[str, ProcessIdentity] = field(default_factory=dict)
    _saving: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The instance's name, which is its directory's."""
        return self.directory.name

    @property
    def is_here(self) -> bool:
        """Whether its pids mean something to this process (same machine, same pid namespace)."""
        return self.place == processes.own_place()

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody will ever stop it: its owner died, and it was not to be kept (or never became ready)."""
        return self.is_here and not (self.keep and self.ready) and not processes.is_alive(self.owner)

    @property
    def is_running(self) -> bool:
        """Whether it became ready and all its processes live."""
        return self.ready and self.is_here and all(map(processes.is_alive, self.processes.values()))

    def pid_of(self, role: str) -> int | None:
        """The pid of the server in this role ("postgres", "kafka", of several "kafka-2" too) while it lives."""
        identity = self.processes.get(role)
        return identity.pid if identity is not None and processes.is_alive(identity) else None

    def record_process(self, role: str, identity: ProcessIdentity) -> None:
        """Remembers a process at once, on disk.

        Args:
            role: "postgres" or "kafka".
            identity: the process just started.
        """
        with self._saving:
            self.processes[role] = identity
            self._write()

    def save(self) -> None:
        """Writes the state file whole or not at all."""
        with self._saving:
            self._write()

    def end_process(self, role: str, *, politely: signal.Signals | None) -> None:
        """Ends the server in this role, if it lives, and waits until it is gone.

        Args:
            role: "postgres" or "kafka".
            politely: the signal that asks it to end; None: kill at once.
        """
        identity = self.processes.get(role)
        if identity is not None:
            processes.end(identity, politely=politely, patience_seconds=_STOP_PATIENCE_SECONDS)

    def remove(self) -> None:
        """Ends its processes and removes its directory.

        Nobody wants the data any more, so nothing is flushed; but PostgreSQL must end by itself, or its shared memory
        stays behind.

        Raises:
            StackError: a command of `cleanup` fails; the instance stays on record, so that it can be tried again.
        """
        self.end_process("postgres", politely=signal.SIGQUIT)
        for role in self.processes.keys() - {"postgres"}:
            self.end_process(role, politely=None)
        for command in self.cleanup:
            _run_cleanup(command)
        # Out of sight at once: to others a name is taken or free, never half removed.
        doomed = self.directory.with_name(f".{self.name}-{os.getpid()}-{time.monotonic_ns()}")
        with suppress(FileNotFoundError):
            self.directory.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _write(self) -> None:
        state = {
            "place": self.place,
            "owner": asdict(self.owner),
            "keep": self.keep,
            "kind": self.kind,
            "cleanup": [list(command) for command in self.cleanup],
            "ready": self.ready,
            "ports": dict(self.ports),
            "options": dict(self.options),
            "processes": {role: asdict(identity) for role, identity in self.processes.items()},
        }
        draft = self.directory / f".{_STATE_FILE}.{os.getpid()}"
        draft.write_text(json.dumps(state, indent=2))
        draft.replace(self.directory / _STATE_FILE)


def instances_directory(cache: Path) -> Path:
    """The directory of all instances; made when missing."""
    directory = cache / "instances"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def directory_of(cache: Path, name: str) -> Path:
    """The directory of one instance, there or not.

    Raises:
        StackError: the name is not fit for a directory.
    """
    if not _NAME.fullmatch(name):
        raise StackError(f"{name!r} is no name for a stack. Use letters, digits, '-', '_' and '.', at most 64.")
    return instances_directory(cache) / name


def load(directory: Path) -> Instance | None:
    """The instance in this directory, or None when there is none that can be read."""
    try:
        state = json.loads((directory / _STATE_FILE).read_text())
        return Instance(
            directory=directory,
            place=state["place"],
            owner=ProcessIdentity(**state["owner"]),
            keep=state["keep"],
            ready=state["ready"],
            ports=state["ports"],
            options=state["options"],
            kind=state.get("kind", "local"),
            cleanup=tuple(tuple(command) for command in state.get("cleanup", ())),
            processes={role: ProcessIdentity(**identity) for role, identity in state["processes"].items()},
        )
    except (FileNotFoundError, NotADirectoryError, KeyError, TypeError, ValueError):
        return None


def load_all(cache: Path) -> list[Instance]:
    """Every instance that has a state file, by name."""
    directories = sorted(path for path in instances_directory(cache).iterdir() if _NAME.fullmatch(path.name))
    found = (load(directory) for directory in directories)
    return [instance for instance in found if instance is not None]


def sweep(cache: Path) -> list[str]:
    """Ends what dead owners left behind. Call it under `hold_lock(cache, "instances")`.

    Returns:
        The names of the instances removed.
    """
    for directory in instances_directory(cache).iterdir():
        # Hidden: a removal that was cut off, or is under way. Without a state file: both are made under the lock, so
        # whoever made the directory died in between.
        if directory.name.startswith(".") or not (directory / _STATE_FILE).exists():
            shutil.rmtree(directory, ignore_errors=True)
    removed = []
    for instance in load_all(cache):
        if instance.is_abandoned:
            # What cannot be ended now (the engine is down) stays on record for the next sweep.
            with suppress(StackError):
                instance.remove()
                removed.append(instance.name)
    return removed


def _run_cleanup(command: Sequence[str]) -> None:
    try:
        said = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            timeout=_CLEANUP_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"`{' '.join(command)}` does not work ({error}); run it by hand.") from error
    if said.returncode != 0:
        raise StackError(f"`{' '.join(command)}` failed; run it by hand. It said:\n{said.stderr.strip()}")
