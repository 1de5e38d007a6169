"""PostgreSQL and Kafka in containers: by Compose where they are kept, by testcontainers for one run."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Final, Self

from stack import containers, instances
from stack.bring_up import sigterm_as_exit
from stack.claiming import claim
from stack.compose import Compose
from stack.containers import Containers
from stack.docker import Engine, find_engine, has_testcontainers
from stack.errors import StackError
from stack.instances import Instance
from stack.kafka import answers_metadata
from stack.local_stack import LocalOptions
from stack.locks import hold_lock
from stack.places import cache_directory
from stack.ports import LOOPBACK, wait_until

_READY_TIMEOUT_SECONDS: Final = 180.0
_PORTS: Final = ("postgres", "kafka")


class DockerStack:
    """One instance while it runs. `stack.start` builds it.

    Args:
        instance: what is known of it on disk.
        description: what this is, in one line for a person.
        owned: whether `stop` ends it; a kept instance runs on.
    """

    kind: Final = "docker"

    def __init__(self, *, instance: Instance, description: str, owned: bool) -> None:
        self.description = description
        self._instance = instance
        self._owned = owned

    @property
    def database_url(self) -> str:
        """SQLAlchemy's address of the database, `postgresql+asyncpg://…`."""
        account = f"{containers.USER}:{containers.PASSWORD}"
        return f"postgresql+asyncpg://{account}@{LOOPBACK}:{self._instance.ports['postgres']}/{containers.DATABASE}"

    @property
    def bootstrap_servers(self) -> str:
        """The broker's "host:port"."""
        return f"{LOOPBACK}:{self._instance.ports['kafka']}"

    def stop(self) -> None:
        """Removes the containers with their data, once. A kept stack runs on: `stack.stop(name)` ends that."""
        if self._owned:
            self._owned = False
            self._instance.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_docker(
    *,
    name: str,
    keep: bool,
    environment: Mapping[str, str],
    options: LocalOptions,
    progress: Callable[[str], None],
    chosen: str,
) -> DockerStack:
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
    engine = find_engine(environment)
    if engine is None:
        raise StackError("`docker` is not on the PATH. Install Docker.")
    cache = cache_directory(environment)
    directory = instances.directory_of(cache, name)
    with hold_lock(cache, f"instance-{name}"):
        with hold_lock(cache, "instances"):
            for swept in instances.sweep(cache):
                progress(f"ended {swept}, whose owner is gone")
            instance = claim(cache, directory, kind="docker", keep=keep, options=asdict(options), ports=_PORTS)
        owned = not keep and not instance.ready
        servers = _servers(engine, instance)
        progress(f"starting PostgreSQL and Kafka in containers by {servers.tool}")
        with sigterm_as_exit():
            _bring_up(servers, engine, instance)
        progress("both are ready")
    return DockerStack(instance=instance, description=f"{chosen}; instance {name}", owned=owned)


def _servers(engine: Engine, instance: Instance) -> Compose | Containers:
    if instance.keep or not has_testcontainers():
        return Compose(engine=engine, instance=instance)
    return Containers(engine=engine, instance=instance)


def _bring_up(servers: Compose | Containers, engine: Engine, instance: Instance) -> None:
    """Starts what does not run; whatever prevents it, nothing of a new instance is left."""
    was_ready = instance.ready
    # On record before there is anything to end.
    instance.cleanup = servers.cleanup
    instance.save()
    try:
        postgres, kafka = servers.start()
        _wait(
            "PostgreSQL",
            lambda: _accepts_connections(engine, postgres),
            engine=engine,
            container=postgres,
        )
        _wait("Kafka", lambda: answers_metadata(instance.ports["kafka"]), engine=engine, container=kafka)
        instance.ready = True
        instance.save()
    except BaseException:
        if not was_ready:
            instance.remove()
        raise


def _accepts_connections(engine: Engine, container: str) -> bool:
    # By address: while the image initialises, a temporary server answers on the socket only.
    address = ("--host=127.0.0.1", f"--username={containers.USER}", f"--dbname={containers.DATABASE}")
    try:
        return engine.run("exec", container, "pg_isready", *address).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _wait(title: str, is_ready: Callable[[], bool], *, engine: Engine, container: str) -> None:
    def has_ended() -> bool:
        return engine.run("inspect", "--format", "{{.State.Running}}", container).stdout.strip() != "true"

    ready = wait_until(is_ready, is_hopeless=has_ended, timeout_seconds=_READY_TIMEOUT_SECONDS, pause_seconds=0.3)
    if not ready:
        said = engine.run("logs", "--tail", "20", container)
        raise StackError(
            f"{title} does not come up in its container. Read the end of its log below; its image and the settings "
            f"are the usual reasons.\n{said.stdout}{said.stderr}"
        )
