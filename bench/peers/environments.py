"""Each peer's own environment: made when first needed, from its pinned requirements, and kept in the cache."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from stack.locks import hold_lock
from stack.places import cache_directory

PEERS: Final = Path(__file__).parent
TIMEOUT_SECONDS: Final = 300


class NotInstalledError(Exception):
    """The peer cannot be installed here; the message is what pip said last."""


def python_of(peer: str) -> Path:
    """Give the interpreter of a peer's environment, which is made if it is missing.

    Args:
        peer: a directory beside this file, with a `requirements.txt`.

    Raises:
        NotInstalledError: pip did not install what it needs.
    """
    requirements = PEERS / peer / "requirements.txt"
    content = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    cache = cache_directory(os.environ)
    environment = cache / f"peer-{peer}-{content[:16]}"
    python = environment / "bin" / "python"
    with hold_lock(cache, f"peer-{peer}"):
        if not (environment / ".made").exists():
            shutil.rmtree(environment, ignore_errors=True)
            _make(environment, python, requirements)
            (environment / ".made").touch()
    return python


def _make(environment: Path, python: Path, requirements: Path) -> None:
    # Without a pip of its own, which would take longer to install than the rest: ours installs into it.
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    options = ("--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes")
    _run(sys.executable, "-m", "pip", "--python", str(python), "install", *options, "-r", str(requirements))


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(str(error)) from error
    if done.returncode != 0:
        raise NotInstalledError((done.stderr or done.stdout).strip().rpartition("\n")[2])
