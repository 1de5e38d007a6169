"""The docker stack for real, where an engine answers and has the images: kept or ended, it leaves nothing."""

import os
import subprocess
import sys

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

import stack
from stack.choice import obstacle_of

ENVIRONMENT = {**os.environ, "SQUAD_STACK": "docker"}
NAME = f"test-docker-{os.getpid()}"
OBSTACLE = obstacle_of("docker", ENVIRONMENT)

START_AND_DIE = """
import os, sys
import stack
stack.start(name=sys.argv[1], environment={**os.environ, "SQUAD_STACK": "docker"})
os._exit(9)
"""

pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=f"no docker stack here: {OBSTACLE}")


@pytest.fixture
def name():
    """The name of an instance, ended whatever happens."""
    yield NAME
    stack.stop(NAME, environment=ENVIRONMENT)


def left(name: str) -> str:
    """Containers, volumes and networks that have the instance's name."""
    kinds = (["ps", "--all"], ["volume", "ls"], ["network", "ls"])
    commands = [["docker", *kind, "--quiet", "--filter", f"name={name}"] for kind in kinds]
    return "".join(subprocess.run(each, stdout=subprocess.PIPE, text=True, check=True).stdout for each in commands)


async def uses(found: stack.Stack) -> None:
    """Writes to both."""
    connection = await asyncpg.connect(found.database_url.replace("+asyncpg", ""))
    await connection.execute("CREATE TABLE IF NOT EXISTS kept ()")
    assert await connection.fetchval("SHOW max_connections") == "200"
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=found.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 3, 1)])
    assert "kept" in await admin.list_topics()
    await admin.close()


async def broker_settings(found: stack.Stack) -> set[tuple[str, str]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=found.bootstrap_servers)
    await admin.start()
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
    await admin.close()
    return {(entry[0], entry[1]) for _, _, _, _, entries in answer.resources for entry in entries}


async def test_containers_of_a_run_answer_and_are_gone_at_its_end(name):
    broker = {"group.initial.rebalance.delay.ms": "7", "num.network.threads": "2"}
    with stack.start(name=name, environment=ENVIRONMENT, kafka_properties=broker) as found:
        assert found.kind == "docker"
        assert await broker_settings(found) >= broker.items()
        await uses(found)
        assert left(name)

    assert left(name) == ""


async def test_what_is_kept_is_joined_with_its_data_and_removed_by_stop(name):
    with stack.start(name=name, keep=True, environment=ENVIRONMENT) as kept:
        await uses(kept)
    with stack.start(name=name, keep=True, environment=ENVIRONMENT) as joined:
        assert (joined.database_url, joined.bootstrap_servers) == (kept.database_url, kept.bootstrap_servers)
        connection = await asyncpg.connect(joined.database_url.replace("+asyncpg", ""))
        assert await connection.fetchval("SELECT to_regclass('kept') IS NOT NULL")
        await connection.close()
    with pytest.raises(stack.StackError, match="is docker, not local"):
        stack.start(name=name, keep=True, environment={**ENVIRONMENT, "SQUAD_STACK": "local"})

    assert stack.stop(name, environment=ENVIRONMENT)

    assert left(name) == ""


def test_what_a_killed_owner_left_is_ended_by_the_next_start(name):
    abandoned = f"{NAME}-left"
    subprocess.run([sys.executable, "-c", START_AND_DIE, abandoned], check=False)
    assert left(abandoned)

    with stack.start(name=name, environment=ENVIRONMENT):
        assert left(abandoned) == ""


def test_a_server_that_does_not_come_up_shows_its_log_and_leaves_nothing(name):
    with pytest.raises(stack.StackError, match=r"(?s)^PostgreSQL does not come up.*nonsense"):
        stack.start(name=name, environment=ENVIRONMENT, postgres_settings={"work_mem": "nonsense"})

    assert left(name) == ""
