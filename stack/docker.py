"""The Docker engine as its command line reaches it: does it answer, are the images there, which tools does it have."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from stack import variables
from stack.errors import StackError

COMPOSE_FILE: Final = Path(__file__).parents[1] / "docker-compose.yml"
IMAGES: Final[Mapping[str, str]] = {
    variables.POSTGRES_IMAGE: "postgres:18.4-bookworm",
    variables.KAFKA_IMAGE: "apache/kafka:4.3.1",
}
"""The images by the variable that names another; docker-compose.yml has the same, and a test says so."""

ANSWER_SECONDS: Final = 10.0
_PULL_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How to talk to an engine.

    Attributes:
        command: the beginning of each command.
        environment: the process environment.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]

    def run(
        self, *arguments: str, timeout_seconds: float | None = None, **variables_: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command of Docker's and give what it said.

        Args:
            arguments: after `docker`.
            timeout_seconds: how long it may take; `ANSWER_SECONDS`, if absent.
            variables_: added to its environment.

        Raises:
            subprocess.TimeoutExpired: it took longer, and was ended.
        """
        return subprocess.run(
            [*self.command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**self.environment, **variables_},
            # Ctrl-C is for us; a container half made would be left behind.
            start_new_session=True,
            check=False,
            timeout=ANSWER_SECONDS if timeout_seconds is None else timeout_seconds,
        )


def find_engine(environment: Mapping[str, str]) -> Engine | None:
    """Give the engine that the environment points at, answering or not; `None` where Docker's program is missing."""
    program = shutil.which("docker", path=environment.get("PATH"))
    if program is None:
        return None
    # In the command and not only in the environment: whoever ends an abandoned stack has another environment.
    host = environment.get("DOCKER_HOST")
    return Engine(command=(program, "--host", host) if host else (program,), environment=environment)


def obstacle(
    environment: Mapping[str, str],
    *,
    keep: bool,
    pull: bool,
    progress: Callable[[str], None] = lambda _step: None,
) -> str | None:
    """Say why containers cannot be used and what to do, or `None`.

    Args:
        environment: the process environment.
        keep: whether they are to outlive this process, which needs Compose.
        pull: whether images that are missing may be pulled; else a missing image is an obstacle.
        progress: told that an image is pulled.
    """
    engine = find_engine(environment)
    if engine is None:
        return "`docker` is not on the PATH (install Docker)"
    return (
        _engine_obstacle(engine)
        or _tool_obstacle(engine, keep=keep)
        or _images_obstacle(engine, pull=pull, progress=progress)
    )


def has_testcontainers() -> bool:
    """Tell whether containers can be started for this run alone."""
    return find_spec("testcontainers") is not None and find_spec("yaml") is not None


def image(variable: str, environment: Mapping[str, str]) -> str:
    """Give the image that a variable names, or ours."""
    return environment.get(variable) or IMAGES[variable]


def _engine_obstacle(engine: Engine) -> str | None:
    try:
        said = engine.run("version", "--format", "{{.Server.Version}}")
    except subprocess.TimeoutExpired:
        return f"the Docker daemon does not answer within {ANSWER_SECONDS:g} s (start it, or see DOCKER_HOST)"
    except OSError as error:
        return f"`docker` does not work ({error})"
    if said.returncode != 0 or not said.stdout.strip():
        return f"the Docker daemon does not answer ({_last_line(said)})"
    return None


def _tool_obstacle(engine: Engine, *, keep: bool) -> str | None:
    if find_spec("psutil") is None:
        return "psutil not installed (install the extra `local`)"
    if not keep and has_testcontainers():
        return None
    if not COMPOSE_FILE.exists():
        return f"{COMPOSE_FILE} is not there (run from a checkout)"
    if engine.run("compose", "version").returncode != 0:
        return "`docker compose` does not work (install Docker's Compose plugin)"
    return None


def _images_obstacle(engine: Engine, *, pull: bool, progress: Callable[[str], None]) -> str | None:
    for variable in IMAGES:
        name = image(variable, engine.environment)
        if engine.run("image", "inspect", name).returncode == 0:
            continue
        if not pull:
            return f"image {name} is not here (`docker pull {name}`)"
        progress(f"pulling {name} (once)")
        seconds = _pull_seconds(engine.environment)
        try:
            said = engine.run("pull", "--quiet", name, timeout_seconds=seconds)
        except subprocess.TimeoutExpired:
            return f"image {name} is not here and was not pulled within {seconds:g} s ({variables.PULL_SECONDS})"
        if said.returncode != 0:
            return f"image {name} is not here and cannot be pulled ({_last_line(said)})"
    return None


def _pull_seconds(environment: Mapping[str, str]) -> float:
    text = environment.get(variables.PULL_SECONDS) or str(_PULL_SECONDS)
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise StackError(f"{variables.PULL_SECONDS}={text} is no number of seconds.")
    return float(text)


def _last_line(said: "subprocess.CompletedProcess[str]") -> str:
    lines = [line.strip() for line in (said.stderr or said.stdout).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else f"exit code {said.returncode}"
