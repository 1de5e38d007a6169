"""The local stack for real: it starts, survives what fault tests do to it, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

import stack
from stack.instances import Instance, directory_of, load
from stack.local_stack import LocalStack
from stack.places import cache_directory

ENVIRONMENT = {**os.environ, "SQUAD_STACK": "local"}
NAME = f"test-{os.getpid()}"

START_AND_WAIT = """
import os, sys
import stack
def tell(step):
    print(step, flush=True)
stack.start(name=sys.argv[1], environment={**os.environ, "SQUAD_STACK": "local"}, progress=tell)
print("up", flush=True)
sys.stdin.read()
"""


def why_not_here() -> str:
    try:
        stack.choose(ENVIRONMENT)
    except stack.StackError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(why_not_here()), reason=why_not_here())


@pytest.fixture(scope="module")
def running():
    with start(NAME) as found:
        yield found


@pytest.fixture
def name():
    """The name of a second instance, ended whatever happens."""
    yield f"{NAME}-second"
    stack.stop(f"{NAME}-second", environment=ENVIRONMENT)


def start(name: str, **options: Any) -> LocalStack:
    found = stack.start(name=name, environment=ENVIRONMENT, **options)
    assert isinstance(found, LocalStack)
    return found


@asynccontextmanager
async def connect(found):
    connection = await asyncpg.connect(found.database_url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def administer(found):
    client = AIOKafkaAdminClient(bootstrap_servers=found.bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


def recorded(name: str) -> Instance | None:
    return load(directory_of(cache_directory(ENVIRONMENT), name))


def processes_that_mention(name: str) -> list[str]:
    """Command lines of the processes that work in this instance's directory, zombies left out."""
    directory = str(directory_of(cache_directory(ENVIRONMENT), name)) + "/"
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if directory in line]


def spawn_owner(name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


async def test_postgresql_is_set_up_as_the_application_needs_it(running):
    expected = {
        "fsync": "on",
        "listen_addresses": "127.0.0.1",
        "max_connections": "200",
        "max_prepared_transactions": "20",
        "max_wal_size": "4GB",
        "server_encoding": "UTF8",
        "wal_level": "logical",
    }
    async with connect(running) as connection:
        found = {setting: await connection.fetchval(f"SHOW {setting}") for setting in expected}

    assert found == expected


async def test_kafka_answers_and_makes_no_topic_by_itself(running):
    async with administer(running) as client:
        (answer,) = await client.describe_topics(["never-made"])
        topics = await client.list_topics()

    assert answer["error_code"] != 0
    assert "never-made" not in topics


@pytest.mark.parametrize("end", ["fast", "immediate", "kill"])
async def test_postgresql_comes_back_on_its_port_with_what_was_committed(running, end):
    address, pid = running.database_url, running.pids["postgres"]
    async with connect(running) as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (before text)")
        await connection.execute("INSERT INTO kept VALUES ($1)", end)
        if end == "kill":
            running.kill_postgres()
            with pytest.raises(OSError, match=r"[Cc]onnect"):
                await asyncpg.connect(address.replace("+asyncpg", ""))
            running.restart_postgres()
        else:
            running.restart_postgres(end)

    assert (running.database_url, running.pids["postgres"] != pid) == (address, True)
    async with connect(running) as connection:
        assert await connection.fetchval("SELECT count(*) FROM kept WHERE before = $1", end) == 1


async def test_kafka_killed_comes_back_on_its_port_with_its_topics(running):
    address = running.bootstrap_servers
    async with administer(running) as client:
        await client.create_topics([NewTopic(name="kept", num_partitions=3, replication_factor=1)])

    running.kill_kafka()
    assert "kafka" not in running.pids
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=5)
    running.restart_kafka()

    assert running.bootstrap_servers == address
    async with administer(running) as client:
        assert "kept" in await client.list_topics()


def test_a_name_in_use_is_an_error_that_names_its_owner(running):
    with pytest.raises(stack.StackError, match=f"in use by process {os.getpid()}"):
        start(running.name)

    assert set(running.pids) == {"postgres", "kafka"}


def test_what_a_killed_owner_left_is_ended_by_the_next_start_and_a_kept_stack_is_joined(running, name):
    left = f"{NAME}-left"
    with spawn_owner(left) as owner:
        assert owner.stdout is not None
        assert "up\n" in iter(owner.stdout.readline, "")
        owner.kill()
    orphans = recorded(left)
    assert orphans is not None
    assert orphans.is_running, "the owner's death alone must not have ended them"

    steps: list[str] = []
    with start(name, keep=True, progress=steps.append) as kept:
        pass

    assert f"ended {left}, whose owner is gone" in steps
    assert [orphans.pid_of(role) for role in ("postgres", "kafka")] == [None, None]
    assert not orphans.directory.exists()
    assert processes_that_mention(left) == []
    assert set(running.pids) == {"postgres", "kafka"}, "an instance in use must be left alone"

    with start(name) as joined:
        assert (joined.database_url, joined.pids) == (kept.database_url, kept.pids)
    found = stack.find(name, environment=ENVIRONMENT)
    assert found is not None
    assert found.bootstrap_servers == kept.bootstrap_servers
    assert len(found.pids) == 2, "leaving the block must not have ended a kept stack"

    found.kill_kafka()
    assert stack.find(name, environment=ENVIRONMENT) is None
    with start(name) as revived:
        assert revived.bootstrap_servers == kept.bootstrap_servers
        assert revived.pids["postgres"] == kept.pids["postgres"]

    assert stack.stop(name, environment=ENVIRONMENT)
    assert stack.find(name, environment=ENVIRONMENT) is None
    assert processes_that_mention(name) == []


def test_a_start_cut_off_by_sigterm_leaves_no_process_and_no_directory(name):
    with spawn_owner(name) as owner:
        deadline = time.monotonic() + 30
        while (instance := recorded(name)) is None or not instance.processes:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        owner.send_signal(signal.SIGTERM)
        assert owner.stdout is not None
        said = owner.stdout.read()

    assert owner.returncode == 128 + signal.SIGTERM
    assert "up\n" not in said
    assert processes_that_mention(name) == []
    assert not instance.directory.exists()


@pytest.mark.parametrize(
    ("setting", "server"),
    [
        ({"kafka_properties": {"num.network.threads": "nonsense"}}, "Kafka"),
        ({"postgres_settings": {"work_mem": "nonsense"}}, "PostgreSQL"),
    ],
)
def test_a_start_that_fails_shows_the_end_of_the_log_and_leaves_nothing(name, setting, server):
    with pytest.raises(stack.StackError, match=rf"(?s)^{server}.*nonsense"):
        start(name, **setting)

    assert processes_that_mention(name) == []
    assert not directory_of(cache_directory(ENVIRONMENT), name).exists()


def test_the_command_line_prints_what_shell_scripts_need(running):
    result = subprocess.run(
        [sys.executable, "-m", "stack", "status"], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )

    (found,) = [instance for instance in json.loads(result.stdout) if instance["name"] == running.name]
    assert found["running"]
    assert found["pids"] == running.pids
    assert not found["keep"]
