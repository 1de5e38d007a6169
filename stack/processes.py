"""Processes by identity (pid and start time), because a pid alone may mean somebody else by now."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import psutil

from stack.places import Account

_POLL_SECONDS = 0.02
_KILLED_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """One process for ever: no later process has the same pid and the same start mark."""

    pid: int
    started: str


class AccountArguments(TypedDict, total=False):
    """The arguments of `subprocess` that say whom a program runs as."""

    user: int
    group: int
    extra_groups: list[int]


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of the process that has this pid now, or None when there is none (a zombie counts as none)."""
    started = _start_mark(pid)
    return None if started is None else ProcessIdentity(pid=pid, started=started)


def own_identity() -> ProcessIdentity:
    """The identity of this process."""
    identity = identify(os.getpid())
    assert identity is not None, "a running process can see itself"  # noqa: S101 - narrows for mypy
    return identity


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process still runs."""
    return identify(identity.pid) == identity


def own_place() -> str:
    """Names the machine and pid namespace in which our pids mean something.

    A cache directory may be shared by containers or hosts; from elsewhere every one of our processes looks dead.
    """
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = socket.gethostname()
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = ""
    return f"{machine}/{namespace}"


def launch(
    command: Sequence[str], *, log_path: Path, directory: Path, environment: Mapping[str, str], account: Account | None
) -> ProcessIdentity:
    """Starts a program that outlives this one unless it is ended.

    It gets a session of its own, so that Ctrl-C in the terminal reaches us alone and we end it in order.

    Args:
        command: absolute path of the program, and its arguments.
        log_path: file to append its output to.
        directory: working directory.
        environment: its whole environment.
        account: whom to run as; None: the caller.

    Returns:
        The identity of the new process.

    Raises:
        OSError: the program cannot be run, or ended at once.
    """
    with log_path.open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
            **account_arguments(account),
        )
    # From here on the process is known by identity only, as it is to whoever finds it in a state file. Without this
    # line Popen would warn of a process left running, which is what we want. `_start_mark` collects its exit.
    child.returncode = 0
    identity = identify(child.pid)
    if identity is None:
        raise ProcessLookupError(f"{command[0]} ended at once")
    return identity


def account_arguments(account: Account | None) -> AccountArguments:
    """What makes `subprocess` run a program as this account, without the caller's groups (None: as the caller)."""
    if account is None:
        return {}
    return {"user": account.user_id, "group": account.group_id, "extra_groups": []}


def end(identity: ProcessIdentity, *, politely: signal.Signals | None, patience_seconds: float) -> None:
    """Ends a process and its descendants, and returns when all of them are gone.

    Args:
        identity: the process; nothing happens when it is gone already.
        politely: the signal that asks it to end; None: kill at once.
        patience_seconds: how long it may take before it is killed.
    """
    descendants = _descendants(identity)
    if politely is not None:
        _send(identity, politely)
        wait_gone([identity], timeout_seconds=patience_seconds)
    _send(identity, signal.SIGKILL)
    wait_gone([identity], timeout_seconds=_KILLED_WAIT_SECONDS)
    # Backends notice by themselves that their postmaster is gone; one that is busy computing may take long.
    wait_gone(descendants, timeout_seconds=2.0)
    for descendant in descendants:
        _send(descendant, signal.SIGKILL)
    wait_gone(descendants, timeout_seconds=_KILLED_WAIT_SECONDS)


def wait_gone(identities: Sequence[ProcessIdentity], *, timeout_seconds: float) -> bool:
    """Waits for the end of processes, ours or not.

    Returns:
        Whether all of them were gone before the time was over.
    """
    deadline = time.monotonic() + timeout_seconds
    while any(is_alive(identity) for identity in identities):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _send(identity: ProcessIdentity, number: signal.Signals) -> None:
    if is_alive(identity):
        with suppress(ProcessLookupError):
            os.kill(identity.pid, number)


def _descendants(identity: ProcessIdentity) -> list[ProcessIdentity]:
    if not is_alive(identity):
        return []
    try:
        children = psutil.Process(identity.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [found for child in children if (found := identify(child.pid)) is not None]


def _start_mark(pid: int) -> str | None:
    """When a process started, in a form that no change of the clock alters; None when it is gone or a zombie.

    On Linux that is the boot and the ticks since then (proc(5), "starttime"). psutil's `create_time` is derived from
    the wall clock there and moves when the clock is set: a living owner would look dead.
    """
    if sys.platform == "linux":
        return _start_mark_linux(pid)
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _start_mark_linux(pid: int) -> str | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses and may itself hold blanks and parentheses.
    fields = line.rpartition(")")[2].split()
    state, threads, ticks = fields[0], int(fields[17]), fields[19]
    # A killed process with many threads is a zombie by its first thread while others still hold its sockets; only with
    # the last one its ports are free. Then collect it, if it is our child.
    if state in "ZX" and threads <= 1:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{ticks}"
