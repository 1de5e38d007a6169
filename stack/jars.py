"""The broker's jars: fetched once by Maven, cached by the hash of the pom that names their versions."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from stack.errors import StackError
from stack.locks import hold_lock

POM = Path(__file__).with_name("pom.xml")
_FETCH_TIMEOUT_SECONDS = 600


def jars_directory(cache: Path) -> Path:
    """Where the jars of the present pom are, or will be."""
    return cache / "jars" / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]


def kafka_version() -> str:
    """The version of the broker whose jars these are."""
    [found] = re.findall(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>([^<]+)<", POM.read_text())
    return str(found)


def ensure_jars(cache: Path, *, environment: Mapping[str, str], progress: Callable[[str], None]) -> Path:
    """Fetches the jars unless they are cached; two callers at once fetch once.

    Args:
        cache: the cache directory.
        environment: the process environment, for Maven.
        progress: told when they are not cached.

    Returns:
        The directory that holds them.

    Raises:
        StackError: Maven is missing or failed.
    """
    directory = jars_directory(cache)
    if directory.is_dir():
        return directory
    with hold_lock(cache, "jars"):
        if not directory.is_dir():
            progress("fetching Kafka's jars (once)")
            directory.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".fetching-", dir=directory.parent) as draft:
                fetched = Path(draft) / "jars"
                _copy_jars(fetched, environment)
                # Whole or not at all: a directory of this name is never half full.
                fetched.rename(directory)
    return directory


def _copy_jars(directory: Path, environment: Mapping[str, str]) -> None:
    maven = shutil.which("mvn", path=environment.get("PATH"))
    if maven is None:
        raise StackError("The broker's jars are not cached and `mvn` is not on the PATH. Install Maven.")
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={directory}", "-DincludeScope=runtime"]
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=dict(environment),
            check=False,
            timeout=_FETCH_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"Maven did not fetch the broker's jars within {_FETCH_TIMEOUT_SECONDS} s.") from error
    if result.returncode != 0 or not directory.is_dir():
        output = "\n".join((result.stdout + result.stderr).strip().splitlines()[-20:])
        raise StackError(f"Maven could not fetch the broker's jars. Is its repository reachable? It said:\n{output}")
