"""A running PostgreSQL and Kafka of ours, to use and, in fault tests, to hurt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from stack.choice import Kind
from stack.instances import Instance
from stack.postgres import PostgresServer, ShutdownMode


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """How the servers of a local stack are set up; `stack.start` tells what each means."""

    benchmark: bool = False
    brokers: int = 1
    kafka_heap_mib: int = 512
    kafka_properties: Mapping[str, str] = field(default_factory=dict)
    postgres_shared_buffers_mib: int = 128
    postgres_settings: Mapping[str, str] = field(default_factory=dict)


class Broker(Protocol):
    """Kafka, or its mock."""

    @property
    def bootstrap_servers(self) -> str:
        """Its address as "host:port"."""
        ...

    @property
    def pid(self) -> int | None:
        """Its pid while it lives."""
        ...

    def start(self, *, is_cancelled: Callable[[], bool] = ...) -> None:
        """Starts it, and returns when it answers."""
        ...

    def stop(self) -> None:
        """Asks it to end in order and waits until it is gone."""
        ...

    def kill(self) -> None:
        """Ends it as a power cut would."""
        ...


class LocalStack:
    """One instance while it runs. `stack.start` and `stack.find` build it.

    Args:
        instance: what is known of it on disk.
        postgres: its database server; its own methods stop, kill and start it.
        kafka: its broker, likewise.
        description: what this is, in one line for a person.
        owned: whether `stop` ends it; a kept instance runs on.
    """

    def __init__(
        self, *, instance: Instance, postgres: PostgresServer, kafka: Broker, description: str, owned: bool
    ) -> None:
        self.description = description
        self.postgres = postgres
        self.kafka = kafka
        self._instance = instance
        self._owned = owned

    @property
    def kind(self) -> Kind:
        """Local, or embedded."""
        return "embedded" if self._instance.kind == "embedded" else "local"

    @property
    def name(self) -> str:
        """The instance's name."""
        return self._instance.name

    @property
    def directory(self) -> Path:
        """Where its data and its logs are (`postgres.log`, `kafka.log`)."""
        return self._instance.directory

    @property
    def database_url(self) -> str:
        """SQLAlchemy's address of the database, `postgresql+asyncpg://…`."""
        return self.postgres.database_url

    @property
    def bootstrap_servers(self) -> str:
        """The broker's "host:port"; several are separated by commas."""
        return self.kafka.bootstrap_servers

    @property
    def pids(self) -> Mapping[str, int]:
        """The pids of the servers that live now: "postgres" (the postmaster), "kafka", of several "kafka-2" too."""
        found = {role: self._instance.pid_of(role) for role in self._instance.processes}
        return {role: pid for role, pid in found.items() if pid is not None}

    def restart_postgres(self, mode: ShutdownMode = "fast") -> None:
        """Stops PostgreSQL, if it runs, and starts it on the same port and data.

        Args:
            mode: "fast" closes in order; "immediate" leaves the start to recover from the log.

        Raises:
            StackError: it does not come up again.
        """
        self.postgres.stop(mode)
        self.postgres.start()

    def kill_postgres(self) -> None:
        """Ends PostgreSQL by SIGKILL and waits until its backends are gone; `restart_postgres` brings it back."""
        self.postgres.kill()

    def restart_kafka(self) -> None:
        """Stops Kafka in order, if it runs, and starts it on the same port and data.

        Raises:
            StackError: it does not come up again.
        """
        self.kafka.stop()
        self.kafka.start()

    def kill_kafka(self) -> None:
        """Ends the broker by SIGKILL; `restart_kafka` brings it back."""
        self.kafka.kill()

    def stop(self) -> None:
        """Ends the servers and removes their data, once. A kept stack runs on: `stack.stop(name)` ends that."""
        if self._owned:
            self._owned = False
            self._instance.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
