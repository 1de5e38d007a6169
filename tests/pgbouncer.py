"""A PgBouncer of a test's own, in front of the tests' PostgreSQL, pooling by transaction."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from stack.places import unprivileged_account
from stack.ports import LOOPBACK, find_free_port, wait_until
from stack.processes import account_arguments

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
WHY_NOT_HERE = "" if PROGRAM else "no `pgbouncer` on the PATH (Debian: apt-get install pgbouncer)"


@contextmanager
def pooling(database_url: str, *, connect_query: str = "", **options: str) -> Iterator[str]:
    """Run it in the block; give the same database's address through it.

    Args:
        database_url: PostgreSQL's own address.
        connect_query: what it says on each of its connections to the server before anybody gets it.
        options: further lines of its configuration.
    """
    assert PROGRAM
    url, port = make_url(database_url), find_free_port()
    query = f"connect_query='{connect_query}'" if connect_query else ""
    settings = {
        "listen_addr": LOOPBACK,
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "trust",
        "pool_mode": "transaction",
        "default_pool_size": "4",
        # The next transaction goes to the connection that has been idle for longest, so to another one.
        "server_round_robin": "1",
        **options,
    }
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "users").write_text(f'"{url.username}" ""\n')
        lines = [f"{key} = {value}" for key, value in settings.items()]
        (directory / "pgbouncer.ini").write_text(
            "\n".join(
                [
                    *(
                        "[databases]",
                        f"* = host={url.host} port={url.port} {query}",
                        "[pgbouncer]",
                    ),
                    *(*lines, f"auth_file = {directory / 'users'}", ""),
                ]
            )
        )
        process = subprocess.Popen(
            [PROGRAM, "-q", str(directory / "pgbouncer.ini")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **account_arguments(unprivileged_account()),
        )
        try:
            assert wait_until(
                lambda: _answers(port), is_hopeless=lambda: process.poll() is not None, timeout_seconds=10
            ), "PgBouncer does not come up"
            yield url.set(host=LOOPBACK, port=port).render_as_string(hide_password=False)
        finally:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
