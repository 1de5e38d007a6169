"""The local stack's life: named instances of PostgreSQL and Kafka on this machine, started, found and ended."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from stack import instances, processes
from stack.bring_up import start_servers
from stack.errors import StackError
from stack.instances import Instance
from stack.jars import ensure_jars
from stack.kafka import KafkaServer
from stack.local_stack import LocalOptions, LocalStack
from stack.locks import hold_lock
from stack.places import cache_directory, unprivileged_account
from stack.ports import find_free_port
from stack.postgres import PostgresServer, find_programs

_PORTS = ("postgres", "kafka", "kafka_controller")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tools:
    """What servers are started with."""

    environment: Mapping[str, str]
    java: Path
    jars: Path
    postgres_programs: Path


def start_local(
    *,
    name: str,
    keep: bool,
    environment: Mapping[str, str],
    options: LocalOptions,
    progress: Callable[[str], None],
    chosen: str,
) -> LocalStack:
    """Starts the named instance, or joins the kept one of that name. First ends what dead owners left behind.

    Args:
        name: which instance.
        keep: whether it outlives this process.
        environment: the process environment.
        options: how the servers are set up; a kept instance stays as it was set up.
        progress: told each step, in words.
        chosen: the line of the choice, for the description.

    Raises:
        StackError: the name is in use, or a server does not come up.
    """
    cache = cache_directory(environment)
    directory = instances.directory_of(cache, name)
    tools = _find_tools(cache, environment, progress)
    # Whoever else starts this name waits here until we are done, and then joins it or hears that it is in use.
    with hold_lock(cache, f"instance-{name}"):
        with hold_lock(cache, "instances"):
            for swept in instances.sweep(cache):
                progress(f"ended {swept}, whose owner is gone")
            instance = _claim(cache, directory, keep=keep, options=options)
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
    tools = _find_tools(cache, environment, lambda _step: None)
    return _assemble(instance, tools, description=f"local stack: instance {name}", owned=False)


def stop_local(*, name: str, environment: Mapping[str, str]) -> bool:
    """Ends the instance of this name, kept or not, and removes its data.

    Args:
        name: which instance.
        environment: the process environment.

    Returns:
        Whether there was one.

    Raises:
        StackError: it runs on another machine or in another container.
    """
    cache = cache_directory(environment)
    directory = instances.directory_of(cache, name)
    with hold_lock(cache, f"instance-{name}"):
        instance = instances.load(directory)
        if instance is None:
            return False
        _require_here(instance)
        instance.remove()
    return True


def _find_tools(cache: Path, environment: Mapping[str, str], progress: Callable[[str], None]) -> _Tools:
    java = shutil.which("java", path=environment.get("PATH"))
    if java is None:
        raise StackError("`java` is not on the PATH. Install Java 17 or later.")
    return _Tools(
        environment=environment,
        java=Path(java),
        jars=ensure_jars(cache, environment=environment, progress=progress),
        postgres_programs=find_programs(cache),
    )


def _claim(cache: Path, directory: Path, *, keep: bool, options: LocalOptions) -> Instance:
    """The kept instance of this name, or a new one, on record before anything of it is started."""
    existing = instances.load(directory)
    if existing is None:
        return _create(cache, directory, keep=keep, options=options)
    _require_here(existing)
    if existing.keep:
        return existing
    raise StackError(
        f"The stack {existing.name!r} is in use by process {existing.owner.pid}. "
        "Choose another name, or end that process: the next start then tidies up."
    )


def _create(cache: Path, directory: Path, *, keep: bool, options: LocalOptions) -> Instance:
    taken = {port for other in instances.load_all(cache) for port in other.ports.values()}
    ports: dict[str, int] = {}
    for purpose in _PORTS:
        ports[purpose] = find_free_port(taken=taken | set(ports.values()))
    directory.mkdir()
    instance = Instance(
        directory=directory,
        place=processes.own_place(),
        owner=processes.own_identity(),
        keep=keep,
        ports=ports,
        options=asdict(options),
    )
    instance.save()
    return instance


def _require_here(instance: Instance) -> None:
    if not instance.is_here:
        raise StackError(
            f"The stack {instance.name!r} belongs to another machine or container that shares {instance.directory}. "
            "Choose another name, or stop it there."
        )


def _assemble(instance: Instance, tools: _Tools, *, description: str, owned: bool) -> LocalStack:
    kafka = KafkaServer(instance=instance, java=tools.java, jars=tools.jars, environment=tools.environment)
    postgres = PostgresServer(instance=instance, programs=tools.postgres_programs, account=unprivileged_account())
    return LocalStack(instance=instance, postgres=postgres, kafka=kafka, description=description, owned=owned)


def _bring_up(stack: LocalStack, instance: Instance, *, progress: Callable[[str], None]) -> None:
    """Starts what does not run; whatever prevents it, nothing is left running."""
    was_ready = instance.ready
    servers: dict[str, PostgresServer | KafkaServer] = {"PostgreSQL": stack.postgres, "Kafka": stack.kafka}
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
