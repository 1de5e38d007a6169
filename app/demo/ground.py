"""A database and topics of the demo's own on servers that may have others', made before and removed after."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import make_url, text

import stack
from app import broker, wiring
from app.options import database_rules
from app.settings import Settings, as_text, variable
from checker.gathering import Scene

OWN_SETTINGS = (
    *("database_url", "database_pooler", "database_direct_url", "database_replica_url"),
    *("kafka_bootstrap_servers", "topic_prefix", "consumer_group"),
    *("topic_partitions", "accept_producer_time", "command_sources", "reply_topics"),
)
"""What tells one ground from another; processes on it need these in their environment."""


@contextmanager
def open_ground(settings: Settings, servers: stack.Stack) -> Iterator[Settings]:
    """Give settings whose database is migrated and whose topics exist; both are removed at the end.

    Args:
        settings: what else the processes are to use.
        servers: that are to have another database and other topics.
    """
    name, database_url = f"demo_{uuid4().hex[:12]}", servers.database_url
    # Straight to the server: what the demo shows is no pooler.
    server = settings.model_copy(
        update={
            "database_url": database_url,
            "database_pooler": "none",
            "database_direct_url": None,
            "database_replica_url": None,
        }
    )
    own = settings_of(server, servers, name)
    asyncio.run(_administer(server, f"CREATE DATABASE {name}"))
    try:
        prepare(own)
        yield own
    finally:
        asyncio.run(broker.delete_topics(own))
        asyncio.run(_administer(server, f"DROP DATABASE {name} WITH (FORCE)"))


def settings_of(settings: Settings, servers: stack.Stack, name: str) -> Settings:
    """Give settings that touch nothing but what has this name.

    Topics to reply to are full names of other people's, and would be removed with the ground; the demo's sources are
    its own.
    """
    return settings.model_copy(
        update={
            **needs_of(servers),
            "database_url": make_url(servers.database_url).set(database=name).render_as_string(hide_password=False),
            "topic_prefix": f"{name}.",
            "consumer_group": name,
            "command_sources": (),
            "reply_topics": (),
        }
    )


def needs_of(servers: stack.Stack) -> dict[str, object]:
    """Give the settings that these servers need, by name: their addresses, and what a mock of Kafka cannot do."""
    needs: dict[str, object] = {
        "database_url": servers.database_url,
        "kafka_bootstrap_servers": servers.bootstrap_servers,
    }
    if servers.kind == "embedded":
        from stack.mock_kafka import PARTITIONS

        needs |= {"topic_partitions": PARTITIONS, "accept_producer_time": True}
    return needs


def prepare(settings: Settings) -> None:
    """Bring the schema up to this release and make the topics; what is there already stays."""
    wiring.migrate(settings)
    asyncio.run(wiring.make_partitions(settings))
    asyncio.run(broker.create_topics(settings))


def environment_of(settings: Settings) -> dict[str, str]:
    """Give the variables by which another process finds the same ground."""
    return {variable(name): as_text(getattr(settings, name)) for name in OWN_SETTINGS}


def scene_of(settings: Settings) -> Scene:
    """Say to the checker where a run on this ground leaves its traces."""
    return Scene(
        database_url=database_rules.address(settings).render_as_string(hide_password=False),
        tls=database_rules.tls(settings),
        kafka=broker.client_arguments(settings),
        group=settings.consumer_group,
        commands=settings.topic("commands"),
        events=settings.topic("events"),
        outcomes=settings.topic("outcomes"),
        dead_letters=settings.topic("dead-letters"),
        replies=settings.reply_topics,
    )


async def _administer(settings: Settings, statement: str) -> None:
    async with wiring.open_database(settings, pool_size=1) as database, database.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text(statement))
