"""A PostgreSQL with TLS and rules about it, where one is installed: the tests' usual one is built without TLS."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from app import postgres
from app.settings import Settings
from db.tls import TlsFiles
from stack.places import unprivileged_account
from stack.ports import find_free_port, wait_until
from stack.processes import account_arguments
from tests.certificates import write_authority, write_certificate

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
RULES = """
hostssl all locked all scram-sha-256
hostssl all squad  all cert
hostssl all open   all trust
"""

pytestmark = pytest.mark.skipif(
    not PROGRAMS, reason="no PostgreSQL built with TLS under /usr/lib/postgresql (Debian: apt-get install postgresql)"
)


@dataclass(frozen=True)
class Server:
    port: int
    ca: Path
    certificate: Path


@pytest.fixture(scope="module")
def server():
    account, port = unprivileged_account(), find_free_port()
    with TemporaryDirectory() as name:
        directory = Path(name)
        authority, ca = write_authority(directory)
        own = write_certificate(authority, directory, "127.0.0.1")
        certificate = write_certificate(authority, directory, "squad")
        if account is not None:
            for path in (directory, own, ca):
                shutil.chown(path, account.user_id, account.group_id)
        arguments = {"cwd": directory, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        arguments |= account_arguments(account)
        data = directory / "data"
        initialise = [
            str(PROGRAMS[-1].with_name("initdb")),
            "-D",
            str(data),
            "-U",
            "squad",
            "--auth=trust",
            "--no-sync",
        ]
        subprocess.run(initialise, check=True, **arguments)  # type: ignore[call-overload] # whom to run as
        (data / "pg_hba.conf").write_text(RULES)
        with (data / "postgresql.conf").open("a") as settings:
            files = f"ssl_cert_file = '{own}'\nssl_key_file = '{own}'\nssl_ca_file = '{ca}'\n"
            settings.write(f"port = {port}\nssl = on\nfsync = off\nunix_socket_directories = ''\n{files}")
        process = subprocess.Popen([str(PROGRAMS[-1]), "-D", str(data)], **arguments)  # type: ignore[call-overload] # again
        try:
            ready = [str(PROGRAMS[-1].with_name("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port)]
            assert wait_until(
                lambda: subprocess.run(ready, check=False).returncode == 0,
                is_hopeless=lambda: process.poll() is not None,
                timeout_seconds=30,
            )
            yield Server(port, ca, certificate)
        finally:
            process.kill()
            process.wait()


@pytest.fixture
async def roles(server):
    context: ssl.SSLContext = TlsFiles(ca_file=server.ca, certificate_file=server.certificate).build_context()
    place = {"host": "127.0.0.1", "port": server.port, "user": "squad", "database": "postgres"}
    connection = await asyncpg.connect(**place, ssl=context)
    await connection.execute("DROP ROLE IF EXISTS open; DROP ROLE IF EXISTS locked")
    await connection.execute("CREATE ROLE open LOGIN; CREATE ROLE locked LOGIN PASSWORD 'right'")
    await connection.close()


def connect_as(server: Server, user: str, **tls: object) -> Settings:
    given = {f"database_ssl_{name}": value for name, value in tls.items()}
    address = f"postgresql+asyncpg://{user}@127.0.0.1:{server.port}/postgres"
    return Settings(database_url=address, **given)  # type: ignore[arg-type] # as the environment would


async def test_server_lets_in_whom_its_rules_name(server, roles):
    full = {"mode": "verify-full", "ca_file": server.ca}

    await postgres.check_database(connect_as(server, "open", **full), "consumer")
    await postgres.check_database(connect_as(server, "locked:right", **full), "relay")
    await postgres.check_database(connect_as(server, "squad", certificate_file=server.certificate, **full), "all")


async def test_server_says_why_it_refuses(server, roles):
    full = {"mode": "verify-full", "ca_file": server.ca}
    refused = {
        "connection requires a valid client certificate": connect_as(server, "squad", **full),
        "password authentication failed": connect_as(server, "locked:wrong", **full),
        "no encryption": connect_as(server, "open", mode="disable"),
    }
    for said, settings in refused.items():
        with pytest.raises(postgres.RefusedError, match=rf"^(?!\().*{said}.*SQUAD_DATABASE_URL"):
            await postgres.check_database(settings, "consumer")
