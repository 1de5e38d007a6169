"""PostgreSQL and Kafka as containers of one run, by the package testcontainers, as docker-compose.yml has them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from stack import variables
from stack.docker import COMPOSE_FILE, Engine, image
from stack.errors import StackError
from stack.instances import Instance
from stack.kafka import OURS
from stack.ports import LOOPBACK

USER: Final = "squad"
PASSWORD: Final = "squad"  # noqa: S105 - of a server for the day, on the loopback
DATABASE: Final = "squad"


class Containers:
    """The two containers of one instance.

    Args:
        engine: runs them.
        instance: with the ports "postgres" and "kafka" and the options of `stack.start`.
    """

    tool: Final = "testcontainers"

    def __init__(self, *, engine: Engine, instance: Instance) -> None:
        self._engine = engine
        self._instance = instance
        self._names = tuple(f"agent-squad-{instance.name}-{role}" for role in ("postgres", "kafka"))

    @property
    def cleanup(self) -> Sequence[Sequence[str]]:
        """The command that removes them and their data; it also succeeds where there are none."""
        return ((*self._engine.command, "rm", "--force", "--volumes", *self._names),)

    def start(self) -> tuple[str, str]:
        """Starts both and gives their names; they may not answer yet.

        Raises:
            StackError: the engine refuses.
        """
        # Here, because they are development's dependencies.
        from docker.errors import DockerException
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer

        # Its reaper is a third image, and privileged; our own sweep ends what a dead owner left.
        testcontainers_config.ryuk_disabled = True
        services = _services(self._engine.environment, kafka_port=self._instance.ports["kafka"])
        postgres, kafka = self._names
        plans = (
            (postgres, services["postgres"], variables.POSTGRES_IMAGE, "5432", self._instance.ports["postgres"]),
            (kafka, services["kafka"], variables.KAFKA_IMAGE, "29092", self._instance.ports["kafka"]),
        )
        try:
            for name, service, variable, inner, outer in plans:
                container = DockerContainer(image(variable, self._engine.environment)).with_name(name)
                container.with_envs(**{**service["environment"], **extra_environment(name, self._instance.options)})
                container.with_kwargs(hostname=service.get("hostname", "postgres"), shm_size=service.get("shm_size"))
                # Only this machine reaches them; its own method would publish the port to everybody.
                container.ports[f"{inner}/tcp"] = (LOOPBACK, outer)  # type: ignore[assignment] # docker's own form
                if name == postgres:
                    container.with_command(postgres_command(self._instance.options))
                container.start()
        except DockerException as error:
            raise StackError(f"Docker does not start the containers: {error}") from error
        return postgres, kafka


def postgres_command(options: Mapping[str, Any]) -> list[str]:
    """Give the command of PostgreSQL's container, with the instance's settings."""
    settings = {
        "max_connections": "200",
        "max_prepared_transactions": "20",
        "wal_level": "logical",
        "shared_buffers": f"{options['postgres_shared_buffers_mib']}MB",
        **options["postgres_settings"],
    }
    return ["postgres", *(f"--{name.replace('_', '-')}={value}" for name, value in settings.items())]


def extra_environment(name: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Give what is added to Kafka's environment, for the instance's settings; nothing to others'.

    Apache's image reads broker properties from variables: dots as one underscore, underscores as two, hyphens as three.

    Raises:
        StackError: a property refers to a value that only a local stack knows.
    """
    if not name.endswith("kafka"):
        return {}
    properties = {"offsets.topic.num.partitions": "4", "transaction.state.log.num.partitions": "4"}
    properties |= options["kafka_properties"]
    if any(OURS in value for value in properties.values()):
        raise StackError(f"{OURS} in a broker property is for a local stack: an image's own value is not known here.")
    variables_ = {
        "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper(): str(value)
        for name, value in properties.items()
    }
    return variables_ | {"KAFKA_HEAP_OPTS": f"-Xmx{options['kafka_heap_mib']}m"}


def _services(environment: Mapping[str, str], *, kafka_port: int) -> dict[str, Any]:
    """Read the services of docker-compose.yml, filled in as Compose would."""
    import yaml

    values = {**environment, "KAFKA_PORT": str(kafka_port), "POSTGRES_PASSWORD": PASSWORD}
    text = re.sub(r"\$\{([A-Z_]+):-([^}]*)\}", lambda found: values.get(found[1]) or found[2], COMPOSE_FILE.read_text())
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    for service in services.values():
        if "environment" in service:
            service["environment"] = {name: str(value) for name, value in service["environment"].items()}
    return services
