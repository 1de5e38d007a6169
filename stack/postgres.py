"""One PostgreSQL server, run by the programs of `stack.postgres_programs`."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from stack import processes
from stack.errors import StackError, log_tail
from stack.instances import Instance
from stack.places import Account
from stack.ports import LOOPBACK, wait_until
from stack.processes import ProcessIdentity

ShutdownMode = Literal["fast", "immediate"]

USER = "squad"
DATABASE = "squad"
_BUILTIN_LOCALES_SINCE = 17
_READY_TIMEOUT_SECONDS = 60.0
_TOOL_TIMEOUT_SECONDS = 120.0
_SHUTDOWN_SIGNALS: Mapping[ShutdownMode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}

_SETTINGS: Mapping[str, str] = {
    "max_connections": "200",
    "max_wal_size": "4GB",
    "max_prepared_transactions": "20",
    "wal_level": "logical",
    # Durable although the data is for the day: what is measured and broken here must behave as in production.
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}


class PostgresServer:
    """The database server of one instance.

    Args:
        instance: where it lives, with the port "postgres" and its options `postgres_shared_buffers_mib` and
            `postgres_settings`.
        programs: directory of `initdb`, `postgres` and the others.
        account: whom it runs as; None: the caller.
    """

    def __init__(self, *, instance: Instance, programs: Path, account: Account | None) -> None:
        self._instance = instance
        self._programs = programs
        self._account = account
        self._data = instance.directory / "postgres"
        self._port = instance.ports["postgres"]
        self.log_path = instance.directory / "postgres.log"

    @property
    def database_url(self) -> str:
        """SQLAlchemy's address of the database."""
        return f"postgresql+asyncpg://{USER}@{LOOPBACK}:{self._port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        """The postmaster's pid while it lives."""
        return self._instance.pid_of("postgres")

    def start(self, *, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """Starts it on the data it has, or on new data, and returns when it accepts connections.

        Args:
            is_cancelled: whether the start was given up.

        Raises:
            StackError: it does not come up; the message has the end of its log.
        """
        is_new = not (self._data / "PG_VERSION").exists()
        if is_new:
            self._initialise()
        (self._data / "agent-squad.conf").write_text(self._render_settings())
        identity = self._launch()
        ready = wait_until(
            self._accepts_connections,
            is_hopeless=lambda: is_cancelled() or not processes.is_alive(identity),
            timeout_seconds=_READY_TIMEOUT_SECONDS,
        )
        if not ready:
            raise self._failure("PostgreSQL does not come up" if self.pid else "PostgreSQL ended while starting")
        if is_new:
            self._run("createdb", *self._address(), DATABASE)

    def stop(self, mode: ShutdownMode = "fast") -> None:
        """Ends it and waits until it and its backends are gone.

        Args:
            mode: "fast" rolls back and closes in order; "immediate" leaves the next start to recover.
        """
        self._instance.end_process("postgres", politely=_SHUTDOWN_SIGNALS[mode])

    def kill(self) -> None:
        """Ends the postmaster as a power cut would (SIGKILL), and waits until its backends are gone too."""
        self._instance.end_process("postgres", politely=None)

    def _launch(self) -> ProcessIdentity:
        try:
            identity = processes.launch(
                [str(self._programs / "postgres"), "-D", str(self._data)],
                log_path=self.log_path,
                directory=self._data,
                environment=self._environment(),
                account=self._account,
            )
        except OSError as error:
            raise self._failure(f"PostgreSQL cannot be run ({error})") from error
        self._instance.record_process("postgres", identity)
        return identity

    def _initialise(self) -> None:
        # A start that was cut off leaves half a directory, which initdb refuses.
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(self._data, self._account.user_id, self._account.group_id)
        # Byte order for sorting, yet upper and lower of all letters; by the machine's locale only where that is needed.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self._major_version() < _BUILTIN_LOCALES_SINCE:
            locale = ["--lc-collate=C", "--lc-ctype=C.UTF-8", "--lc-messages=C"]
        # Whoever can connect to the loopback of this machine is trusted; it listens nowhere else. Not synced: of a
        # machine that goes down in the next second nobody misses an empty database.
        self._run("initdb", "-D", str(self._data), "-U", USER, "--auth=trust", "--no-sync", "--encoding=UTF8", *locale)
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write("\ninclude 'agent-squad.conf'\n")

    def _major_version(self) -> int:
        said = self._call("postgres", "--version").stdout
        version = re.search(r"\(PostgreSQL\) (\d+)", said)
        if version is None:
            raise StackError(f"{self._programs / 'postgres'} names no version. It said: {said.strip()}")
        return int(version[1])

    def _accepts_connections(self) -> bool:
        return self._call("pg_isready", *self._address(), "-d", "postgres", "-q", "-t", "2").returncode == 0

    def _address(self) -> tuple[str, ...]:
        return ("-h", LOOPBACK, "-p", str(self._port), "-U", USER)

    def _run(self, program: str, *arguments: str) -> None:
        try:
            result = self._call(program, *arguments)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._failure(f"{program} does not work ({error})") from error
        if result.returncode != 0:
            raise StackError(
                f"{program} failed. Is there space in {self._instance.directory}, and may account "
                f"{self._account.user_id if self._account else os.geteuid()} write there? It said:\n"
                f"{(result.stdout + result.stderr).strip()}"
            )

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self._data,
            env=self._environment(),
            start_new_session=True,
            check=False,
            timeout=_TOOL_TIMEOUT_SECONDS,
            **processes.account_arguments(self._account),
        )

    def _environment(self) -> dict[str, str]:
        # Nothing of the caller's: PGPORT, PGDATA, PGOPTIONS and LC_* would all be obeyed.
        return {"PATH": os.defpath, "HOME": str(self._data), "LC_ALL": "C"}

    def _failure(self, what: str) -> StackError:
        return StackError(
            f"{what}. Read the end of its log below; extra settings and too little memory are the usual reasons.\n"
            f"{self.log_path}:\n{log_tail(self.log_path)}"
        )

    def _render_settings(self) -> str:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self._port),
            # No socket: its path may be no longer than about 100 characters, a home directory's may be.
            "unix_socket_directories": "",
            "shared_buffers": f"{self._instance.options['postgres_shared_buffers_mib']}MB",
            **_SETTINGS,
            **self._instance.options["postgres_settings"],
        }
        quoted = {key: value.replace("'", "''") for key, value in settings.items()}
        return "".join(f"{key} = '{value}'\n" for key, value in quoted.items())
