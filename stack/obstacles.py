"""What keeps a kind of stack from working here, each with what to do about it; Docker's are in `stack.docker`."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from stack.jars import jars_directory
from stack.places import cache_directory
from stack.postgres_programs import programs_obstacle

EXTERNAL_SETTINGS: Final = ("SQUAD_DATABASE_URL", "SQUAD_KAFKA_BOOTSTRAP_SERVERS")
_OLDEST_JAVA: Final = 17


def external(environment: Mapping[str, str]) -> str | None:
    """Say why the servers of others cannot be used, or `None`."""
    missing = [setting for setting in EXTERNAL_SETTINGS if not environment.get(setting)]
    return f"{' and '.join(missing)} not set" if missing else None


def local(environment: Mapping[str, str]) -> str | None:
    """Say why PostgreSQL and Kafka cannot be run as programs of this machine, or `None`."""
    obstacle = _java_obstacle(environment)
    if obstacle is not None:
        return obstacle
    has_jars = jars_directory(cache_directory(environment)).is_dir()
    if not has_jars and shutil.which("mvn", path=environment.get("PATH")) is None:
        return "the broker's jars are not cached and `mvn` is not on the PATH (install Maven)"
    return _missing("psutil", extra="local") or programs_obstacle(environment)


def embedded(environment: Mapping[str, str]) -> str | None:
    """Say why even librdkafka's mock of Kafka cannot be used, or `None`."""
    return (
        _missing("confluent_kafka", extra="embedded")
        or _missing("psutil", extra="embedded")
        or programs_obstacle(environment)
    )


def _missing(module: str, *, extra: str) -> str | None:
    return f"{module} not installed (install the extra `{extra}`)" if find_spec(module) is None else None


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
