"""The one way in: choose a kind of stack, find or start it, end it."""

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, assert_never

from stack.choice import Kind, choose
from stack.errors import StackError

if TYPE_CHECKING:
    from stack.local_stack import LocalStack

_NO_SETTINGS: Mapping[str, str] = {}


class Stack(Protocol):
    """PostgreSQL and Kafka, ready to be used; as a context manager it stops at the end of the block."""

    @property
    def kind(self) -> Kind:
        """How the servers run."""
        ...

    @property
    def database_url(self) -> str:
        """SQLAlchemy's address of the database, `postgresql+asyncpg://…`."""
        ...

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's "host:port", several separated by commas."""
        ...

    @property
    def description(self) -> str:
        """What this is, and why not something better: one line for a person."""
        ...

    def stop(self) -> None:
        """Ends what was started for this caller, once; what is shared or kept runs on."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ExternalStack:
    """Servers that somebody else runs.

    Args:
        database_url: SQLAlchemy's address of the database.
        bootstrap_servers: the brokers, "host:port" separated by commas.
        description: what this is, in one line for a person.
    """

    kind: Kind = "external"

    def __init__(self, *, database_url: str, bootstrap_servers: str, description: str) -> None:
        self.database_url = database_url
        self.bootstrap_servers = bootstrap_servers
        self.description = description

    def stop(self) -> None:
        """Does nothing: they are not ours."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    *,
    name: str,
    keep: bool = False,
    environment: Mapping[str, str] = os.environ,
    progress: Callable[[str], None] = lambda _step: None,
    benchmark: bool = False,
    brokers: int = 1,
    kafka_heap_mib: int = 512,
    kafka_properties: Mapping[str, str] = _NO_SETTINGS,
    postgres_shared_buffers_mib: int = 128,
    postgres_settings: Mapping[str, str] = _NO_SETTINGS,
) -> Stack:
    """Finds or starts PostgreSQL and Kafka and returns when both answer.

    Args:
        name: which instance ("demo", "test-4711"), where servers are started; a kept one of this name is joined.
        keep: whether it outlives this process; it then ends by `stop(name=…)` only.
        environment: the process environment (see `choose`).
        progress: told each step, in words; called from this thread.
        benchmark: whether the broker should run fast rather than start fast.
        brokers: how many of Kafka; several only where it runs as processes of this machine.
        kafka_heap_mib: a broker's largest heap.
        kafka_properties: further broker properties; they win over ours, which `${ours}` in a value stands for.
        postgres_shared_buffers_mib: PostgreSQL's `shared_buffers`.
        postgres_settings: further settings of postgresql.conf; they win over ours.

    Raises:
        StackError: there is no way, or a server does not come up; nothing is left running.
    """
    choice = choose(environment, keep=keep, progress=progress)
    progress(choice.line)
    if brokers > 1 and choice.kind != "local":
        raise StackError(f"{brokers} brokers are started as processes of this machine only: say SQUAD_STACK=local.")
    match choice.kind:
        case "external":
            return ExternalStack(
                database_url=environment["SQUAD_DATABASE_URL"],
                bootstrap_servers=environment["SQUAD_KAFKA_BOOTSTRAP_SERVERS"],
                description=choice.line,
            )
        case "docker" | "local" | "embedded":
            # Here and below, because these need extras, which nobody with external servers has to install.
            from stack.docker_stack import start_docker
            from stack.local import start_local
            from stack.local_stack import LocalOptions

            options = LocalOptions(
                benchmark=benchmark,
                brokers=brokers,
                kafka_heap_mib=kafka_heap_mib,
                kafka_properties=kafka_properties,
                postgres_shared_buffers_mib=postgres_shared_buffers_mib,
                postgres_settings=postgres_settings,
            )
            if choice.kind == "docker":
                return start_docker(
                    name=name,
                    keep=keep,
                    environment=environment,
                    options=options,
                    progress=progress,
                    chosen=choice.line,
                )
            return start_local(
                name=name,
                keep=keep,
                environment=environment,
                options=options,
                progress=progress,
                chosen=choice.line,
                kind=choice.kind,
            )
        case _:
            assert_never(choice.kind)


def find(name: str, *, environment: Mapping[str, str] = os.environ) -> "LocalStack | None":
    """The kept instance of this name if it runs as processes of this machine, else None.

    Args:
        name: which instance.
        environment: the process environment, for the place of the cache.
    """
    from stack.local import find_local

    return find_local(name=name, environment=environment)


def stop(name: str, *, environment: Mapping[str, str] = os.environ) -> bool:
    """Ends the instance of this name, kept or not, and removes its data.

    Args:
        name: which instance.
        environment: the process environment, for the place of the cache.

    Returns:
        Whether there was one.

    Raises:
        StackError: it runs on another machine or in another container, or its containers cannot be ended.
    """
    from stack.claiming import stop_instance

    return stop_instance(name=name, environment=environment)
