"""The service on real Kafka and PostgreSQL: topics made, commands sent, processes started and always ended."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import STDOUT, Popen
from tempfile import TemporaryFile
from time import monotonic

import pytest_asyncio

from app import broker
from app.settings import Settings, as_text, variable
from domain.commands import Command
from messages.codec import encode_command
from tests.making import SOURCE, new_id

NOW = datetime.now(UTC)
"""When commands are sent; a retry repeats it."""

DEADLINE_SECONDS = 60


@pytest_asyncio.fixture
async def service(settings: Settings) -> AsyncIterator[Settings]:
    """Settings whose topics exist; they are deleted afterwards."""
    await broker.create_topics(settings)
    yield settings
    await broker.delete_topics(settings)


async def eventually(what: str, check: Callable[[], Awaitable[bool]], seconds: float = DEADLINE_SECONDS) -> None:
    """Ask until it is so; fail after a deadline that no healthy machine reaches."""
    deadline = monotonic() + seconds
    while not await check():
        assert monotonic() < deadline, f"not within {seconds} s: {what}"
        # What is waited for is the fact; this is only how often it is asked for.
        await asyncio.sleep(0.05)


async def send(settings: Settings, commands: Iterable[Command], *, ids: Iterable[str] = ()) -> list[str]:
    """Send commands in order, and return their ids when all are acknowledged."""
    given = iter(ids)
    sent = []
    async with broker.open_producer(settings) as producer:
        waiting = []
        for command in commands:
            command_id = next(given, None) or new_id()
            key, value, headers = encode_command(command, command_id=command_id, source=SOURCE, time=NOW)
            waiting.append(await producer.send(settings.topic("commands"), value, key=key, headers=headers))
            sent.append(command_id)
        await asyncio.gather(*waiting)
    return sent


def environment(settings: Settings) -> dict[str, str]:
    """Give the environment of a process with these settings."""
    ours = {variable(name): as_text(getattr(settings, name)) for name in settings.model_fields_set}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SQUAD_")}
    return kept | ours


@contextmanager
def running(settings: Settings, *arguments: str) -> Iterator["Process"]:
    """Run `squad` with arguments, in the block; what is left at its end is killed."""
    process = Process(settings, *arguments)
    try:
        yield process
    except BaseException:
        process.kill()
        print(f"squad {' '.join(arguments)} printed:", process.finish()[1])  # noqa: T201 - pytest shows it with the failure
        raise
    finally:
        process.kill()
        process.close()


class Process:
    """A `squad` process of its own."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        program = Path(sys.executable).parent / "squad"
        # A file, because a pipe nobody reads would stop the process once it is full.
        self._printed = TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = Popen(
            [program, *arguments], env=environment(settings), stdout=self._printed, stderr=STDOUT, text=True
        )

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    def limit_memory(self, size_bytes: int) -> None:
        """Let it have no more address space than so much."""
        resource.prlimit(self._process.pid, resource.RLIMIT_AS, (size_bytes, size_bytes))

    @property
    def address_space(self) -> int:
        """How much it has, in bytes."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[0]) * resource.getpagesize()

    def close(self) -> None:
        """Forget what it printed."""
        self._printed.close()

    def stop(self) -> tuple[int, str]:
        """Ask it to stop, and give its exit code and what it printed."""
        self._process.send_signal(signal.SIGTERM)
        return self.finish()

    def finish(self) -> tuple[int, str]:
        """Wait for its end, and give its exit code and what it printed."""
        code = self._process.wait(timeout=DEADLINE_SECONDS)
        self._printed.seek(0)
        return code, self._printed.read()

    @property
    def printed(self) -> str:
        """What it printed until now."""
        # Not by reading the file: the process writes where it was read to.
        size = os.fstat(self._printed.fileno()).st_size
        return os.pread(self._printed.fileno(), size, 0).decode(errors="replace")

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None
