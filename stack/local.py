"""The life of named instances of PostgreSQL and Kafka, or its mock, as processes of this machine."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from stack import instances
from stack.bring_up import start_servers
from stack.claiming import claim
from stack.errors import StackError
from stack.instances import Instance
from stack.jars import ensure_jars
from stack.kafka import KafkaServer, controller_of, role_of
from stack.kafka_cluster import KafkaCluster
from stack.local_stack import Broker, LocalOptions, LocalStack
from stack.locks import hold_lock
from stack.mock_kafka import MockKafka
from stack.places import cache_directory, unprivileged_account
from stack.postgres import PostgresServer
from stack.postgres_programs import find_programs

LocalKind = Literal["local", "embedded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaTools:
    """What a broker is started with."""

    launcher: Path
    jars: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tools:
    """What servers are started with; without Java the broker is the mock."""

    postgres_programs: Path
    java: JavaTools | None


def start_local(
    *,
    name: str,
    keep: bool,
    environment: Mapping[str, str],
    options: LocalOptions,
    progress: Callable[[str], None],
    chosen: str,
    kind: LocalKind = "local",
) -> LocalStack:
    """Starts the named instance, or joins the kept one of that name. First ends what dead owners left behind.

    Args:
        name: which instance.
        keep: whether it outlives this process.
        environment: the process environment.
        options: how the servers are set up; a kept instance stays as it was set up.
        progress: told each step, in words.
        chosen: the line of the choice, for the description.
        kind: "local", or "embedded" with librdkafka's mock in the place of Kafka.

    Raises:
        StackError: the name is in use, or a server does not come up.
    """
    cache = cache_directory(environment)
    directory = instances.directory_of(cache, name)
    tools = _find_tools(cache, environment, kind, progress)
    # Whoever else starts this name waits here until we are done, and then joins it or hears that it is in use.
    with hold_lock(cache, f"instance-{name}"):
        with hold_lock(cache, "instances"):
            for swept in instances.sweep(cache):
                progress(f"ended {swept}, whose owner is gone")
            instance = claim(
                cache, directory, kind=kind, keep=keep, options=asdict(options), ports=_ports(options.brokers)
            )
        # Ready before it was started: a kept one of before, and not ours to end.
        owned = not keep and not instance.ready
        stack = _assemble(instance, tools, description=f"{chosen}; instance {name}", owned=owned)
        if instance.is_running:
            progress(f"joined {name}, which runs already")
        else:
            _bring_up(stack, instance, progress=progress)
    return stack


def find_local(*, name: str, environment: Mapping[str, str]) -> LocalStack | None:
    """The kept instance of this name if it runs, else None.

    Args:
        name: which instance.
        environment: the process environment.
    """
    cache = cache_directory(environment)
    instance = instances.load(instances.directory_of(cache, name))
    if instance is None or not instance.keep or not instance.is_running:
        return None
    if instance.kind not in get_args(LocalKind):
        return None
    tools = _find_tools(cache, environment, instance.kind, lambda _step: None)
    return _assemble(instance, tools, description=f"{instance.kind} stack: instance {name}", owned=False)


def _ports(brokers: int) -> list[str]:
    numbers = range(1, brokers + 1)
    return ["postgres", *map(role_of, numbers), *map(controller_of, numbers)]


def _find_tools(cache: Path, environment: Mapping[str, str], kind: str, progress: Callable[[str], None]) -> _Tools:
    return _Tools(
        postgres_programs=find_programs(cache, environment),
        java=_find_java(cache, environment, progress) if kind == "local" else None,
    )


def _find_java(cache: Path, environment: Mapping[str, str], progress: Callable[[str], None]) -> JavaTools:
    java = shutil.which("java", path=environment.get("PATH"))
    if java is None:
        raise StackError("`java` is not on the PATH. Install Java 17 or later.")
    jars = ensure_jars(cache, environment=environment, progress=progress)
    return JavaTools(launcher=Path(java), jars=jars, environment=environment)


def _assemble(instance: Instance, tools: _Tools, *, description: str, owned: bool) -> LocalStack:
    kafka: Broker = MockKafka(instance=instance)
    if tools.java is not None:
        brokers = [
            KafkaServer(
                instance=instance,
                java=tools.java.launcher,
                jars=tools.java.jars,
                environment=tools.java.environment,
                number=number,
            )
            for number in range(1, instance.options.get("brokers", 1) + 1)
        ]
        kafka = brokers[0] if len(brokers) == 1 else KafkaCluster(brokers)
    postgres = PostgresServer(instance=instance, programs=tools.postgres_programs, account=unprivileged_account())
    return LocalStack(instance=instance, postgres=postgres, kafka=kafka, description=description, owned=owned)


def _bring_up(stack: LocalStack, instance: Instance, *, progress: Callable[[str], None]) -> None:
    """Starts what does not run; whatever prevents it, nothing is left running."""
    was_ready = instance.ready
    broker = "Kafka" if instance.kind == "local" else "the mock of Kafka"
    servers: dict[str, PostgresServer | Broker] = {"PostgreSQL": stack.postgres, broker: stack.kafka}
    try:
        start_servers({title: server for title, server in servers.items() if server.pid is None}, progress=progress)
        instance.ready = True
        instance.save()
    except BaseException:
        if was_ready:
            # A kept one of before: its data is somebody's.
            stack.postgres.stop()
            stack.kafka.stop()
        else:
            instance.remove()
        raise
