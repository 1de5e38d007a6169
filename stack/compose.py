"""PostgreSQL and Kafka of docker-compose.yml, as a Compose project of an instance's own, on ports of its own."""

import json
import subprocess
from collections.abc import Sequence
from typing import Final

from stack.containers import PASSWORD, extra_environment, postgres_command
from stack.docker import COMPOSE_FILE, Engine
from stack.errors import StackError
from stack.instances import Instance

_UP_SECONDS: Final = 300.0


class Compose:
    """The Compose project of one instance.

    Args:
        engine: runs it.
        instance: with the ports "postgres" and "kafka" and the options of `stack.start`.
    """

    tool: Final = "Compose"

    def __init__(self, *, engine: Engine, instance: Instance) -> None:
        self._engine = engine
        self._instance = instance
        self._project = f"agent-squad-{instance.name}".lower().replace(".", "-")
        self._changes = instance.directory / "compose.json"

    @property
    def cleanup(self) -> Sequence[Sequence[str]]:
        """The command that removes its containers, network and volumes; it also succeeds where there are none."""
        project = ("compose", "--project-name", self._project, "--file", str(COMPOSE_FILE))
        return ((*self._engine.command, *project, "down", "--volumes", "--timeout", "5"),)

    def start(self) -> tuple[str, str]:
        """Starts both services, where they do not run, and gives their containers' ids; they may not answer yet.

        Raises:
            StackError: Compose refuses.
        """
        options = self._instance.options
        changes = {
            "postgres": {"command": postgres_command(options)},
            "kafka": {"environment": extra_environment("kafka", options)},
        }
        self._changes.write_text(json.dumps({"services": changes}, indent=2))
        self._run("up", "--detach", "postgres", "kafka")
        return self._run("ps", "--quiet", "postgres"), self._run("ps", "--quiet", "kafka")

    def _compose(self) -> tuple[str, ...]:
        files = ("--file", str(COMPOSE_FILE), "--file", str(self._changes))
        return ("compose", "--project-name", self._project, *files)

    def _run(self, *arguments: str) -> str:
        ports = self._instance.ports
        own = {"POSTGRES_PORT": str(ports["postgres"]), "KAFKA_PORT": str(ports["kafka"])}
        try:
            said = self._engine.run(
                *self._compose(), *arguments, timeout_seconds=_UP_SECONDS, POSTGRES_PASSWORD=PASSWORD, **own
            )
        except subprocess.TimeoutExpired as error:
            raise StackError(f"`docker compose {arguments[0]}` took longer than {_UP_SECONDS:g} s.") from error
        if said.returncode != 0:
            raise StackError(f"`docker compose {arguments[0]}` failed. It said:\n{said.stderr.strip()}")
        return said.stdout.strip()
