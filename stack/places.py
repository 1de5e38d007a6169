"""Where the local stack keeps its files, and which account PostgreSQL runs under."""

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

_DIRECTORY_NAME = "agent-squad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of the machine, by its numbers."""

    user_id: int
    group_id: int


def unprivileged_account() -> Account | None:
    """The account for programs that refuse to run as root.

    `nobody` and not an account of our own: it is there on every Unix, so that nothing has to be added to the machine.

    Returns:
        None when this process is not root: then programs run as the caller.

    Raises:
        StackError: this process is root and the machine has no `nobody`.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise StackError(
            "PostgreSQL does not run as root and there is no account `nobody`. Run as an ordinary user."
        ) from None
    return Account(user_id=entry.pw_uid, group_id=entry.pw_gid)


def cache_directory(environment: Mapping[str, str]) -> Path:
    """The directory for jars and instances; made when missing.

    Usually `$XDG_CACHE_HOME/agent-squad` or `~/.cache/agent-squad`. For root, PostgreSQL runs under another account,
    which must be able to walk to its data; root's home is closed (0700) and opening it up is not for us to do, so then
    it is `/var/cache/agent-squad`.

    Args:
        environment: the process environment; XDG_CACHE_HOME and HOME are looked at.

    Raises:
        StackError: the directory cannot be made.
    """
    home = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME") or Path.home()) / ".cache")
    base = Path(home).absolute()
    if os.geteuid() == 0 and not is_open_to_all(base):
        base = Path("/var/cache")
    directory = base / _DIRECTORY_NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"Cannot make {directory}: {error}. Set XDG_CACHE_HOME to a directory of yours.") from error
    return directory


def is_open_to_all(path: Path) -> bool:
    """Whether every account may walk to this path: each existing part of it has execute permission for others."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents) if part.exists())
