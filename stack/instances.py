"""Named instances on disk: a directory and a state file each, and the sweep of those whose owner died."""

import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stack import processes
from stack.errors import StackError
from stack.processes import ProcessIdentity

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_STATE_FILE = "state.json"


@dataclass(slots=True, kw_only=True)
class Instance:
    """What is known of one instance; `save` after each change, so that a sweep after kill -9 finds every process."""

    directory: Path
    place: str
    owner: ProcessIdentity
    keep: bool
    ports: Mapping[str, int]
    options: Mapping[str, Any]
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

    def remove(self) -> None:
        """Kills its processes and removes its directory. Nobody wants the data any more, so nothing is asked first,
        except that PostgreSQL gets the chance to free its shared memory."""
        for role, identity in self.processes.items():
            politely = signal.SIGQUIT if role == "postgres" else None
            processes.end(identity, politely=politely, patience_seconds=5.0)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _write(self) -> None:
        state = {
            "place": self.place,
            "owner": asdict(self.owner),
            "keep": self.keep,
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
            processes={role: ProcessIdentity(**identity) for role, identity in state["processes"].items()},
        )
    except (FileNotFoundError, NotADirectoryError, KeyError, TypeError, ValueError):
        return None


def load_all(cache: Path) -> list[Instance]:
    """Every instance that has a state file, by name."""
    found = (load(directory) for directory in sorted(instances_directory(cache).iterdir()))
    return [instance for instance in found if instance is not None]


def sweep(cache: Path) -> list[str]:
    """Ends what dead owners left behind. Call it under `hold_lock(cache, "instances")`.

    Returns:
        The names of the instances removed.
    """
    for directory in instances_directory(cache).iterdir():
        # Directory and state file are made under the lock, so whoever made this one died in between.
        if not (directory / _STATE_FILE).exists():
            shutil.rmtree(directory, ignore_errors=True)
    abandoned = [instance for instance in load_all(cache) if instance.is_abandoned]
    for instance in abandoned:
        instance.remove()
    return [instance.name for instance in abandoned]
