"""Consumer and relay as processes of their own, ended whatever happens."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stack.errors import log_tail

POLITE_SECONDS: Final = 15.0
"""How long a process may take to finish its batches after SIGTERM."""


class DemoError(Exception):
    """The demonstration cannot go on; the message says why, with the end of the logs."""


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that everything is ended then too."""
    previous = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class Processes:
    """Runs `squad` commands beside this one; as a context manager it ends them at the end of the block.

    Each gets a session of its own, so that Ctrl-C in the terminal reaches us alone and we end them in order. Each also
    ends by itself should we be killed.

    Args:
        commands: arguments of `squad`, by the process's name.
        environment: the whole environment of each.
        directory: where their logs go, one `<name>.log` each.
    """

    def __init__(
        self, commands: Mapping[str, Sequence[str]], *, environment: Mapping[str, str], directory: Path
    ) -> None:
        self._commands = commands
        self._environment = environment
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The processes' ids, by name."""
        return {name: process.pid for name, process in self._running.items()}

    def check(self) -> None:
        """See that all run.

        Raises:
            DemoError: one does not.
        """
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                raise DemoError(f"the {name} ended with exit code {code}\n{self.log_tails()}")

    def log_tails(self) -> str:
        """Give the end of each process's log."""
        return "\n".join(
            f"the log of the {name} ends:\n{log_tail(self._directory / f'{name}.log')}" for name in self._running
        )

    def stop(self) -> dict[str, int]:
        """End all: SIGTERM, patience, SIGKILL; an interruption of the patience kills at once.

        Returns:
            The exit codes by name; 0 where a process ended in order.
        """
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + POLITE_SECONDS
        try:
            for process in self._running.values():
                try:
                    process.wait(max(0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
        finally:
            for process in self._running.values():
                process.kill()
                process.wait()
                if process.stdin is not None:
                    process.stdin.close()
        return {name: process.returncode for name, process in self._running.items()}

    def __enter__(self) -> Self:
        try:
            for name, arguments in self._commands.items():
                self._running[name] = self._start(name, arguments)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, name: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self._directory / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "app.demo.child", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self._environment),
                start_new_session=True,
            )
