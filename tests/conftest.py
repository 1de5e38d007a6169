"""Real services for the tests: one stack for the run, a fresh migrated database for each test that wants one."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import stack as stacks
from app.demo.ground import needs_of
from app.settings import Settings
from db.database import Database
from migrations import run as migrations
from outbox.partitions import Partitions

RUN = f"{os.getpid()}_{uuid4().hex[:6]}"
NUMBERS = count(1)
BROKER = {
    # A killed consumer is noticed after 3 s instead of 45.
    "group.min.session.timeout.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
}

TopicFactory = Callable[..., Awaitable[str]]


def pytest_configure() -> None:
    """Let SIGINT interrupt again what is started here: a shell has it ignored in what runs in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def stack() -> Iterator[stacks.Stack]:
    """PostgreSQL and Kafka: those named in the environment, or started here and ended with the run."""
    with stacks.start(name=f"test-{RUN}", kafka_properties=BROKER) as started:
        yield started


@pytest.fixture(autouse=True)
def _needs_a_real_kafka(request: pytest.FixtureRequest) -> None:
    """Skips tests marked `real_kafka` where only librdkafka's mock is to be had, and says why it is."""
    marker = request.node.get_closest_marker("real_kafka")
    if marker is not None:
        skip_without_a_real_kafka(request.getfixturevalue("stack"), marker.args[0])


def skip_without_a_real_kafka(found: stacks.Stack, why: str) -> None:
    """Skip the test that runs, where the stack has only a mock; why it needs more is part of the reason."""
    if found.kind == "embedded":
        pytest.skip(f"needs a real Kafka, for {why}: {found.description}")


@pytest.fixture(scope="session")
def bootstrap_servers(stack: stacks.Stack) -> str:
    """Kafka's brokers."""
    return stack.bootstrap_servers


async def _administer(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()


def _address(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest_asyncio.fixture(scope="session")
async def template(stack: stacks.Stack) -> AsyncIterator[str]:
    """The name of a migrated database from which each test's own is copied."""
    name = f"template_{RUN}"
    await _administer(stack.database_url, f"CREATE DATABASE {name}")
    url = _address(stack.database_url, name)
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url=url)
    await Partitions(database=database).maintain_once()
    await database.close()
    yield name
    await _administer(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def empty_database_url(stack: stacks.Stack) -> AsyncIterator[str]:
    """The address of a fresh database without any table."""
    name = f"empty_{RUN}_{next(NUMBERS)}"
    await _administer(stack.database_url, f"CREATE DATABASE {name}")
    yield _address(stack.database_url, name)
    await _administer(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def database_url(stack: stacks.Stack, template: str) -> AsyncIterator[str]:
    """The address of a fresh migrated database."""
    name = f"test_{RUN}_{next(NUMBERS)}"
    await _administer(stack.database_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _address(stack.database_url, name)
    await _administer(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="module")
async def module_database_url(stack: stacks.Stack, template: str) -> AsyncIterator[str]:
    """The address of a fresh migrated database that the tests of a module share, because filling it takes long."""
    name = f"module_{RUN}_{next(NUMBERS)}"
    await _administer(stack.database_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _address(stack.database_url, name)
    await _administer(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh migrated database."""
    built = Database(url=database_url)
    yield built
    await built.close()


@pytest_asyncio.fixture
async def async_db(database: Database) -> AsyncIterator[AsyncSession]:
    """The guide's fixture: a session on a fresh real database."""
    async with database.sessions() as session:
        yield session


@pytest_asyncio.fixture
async def topic_factory(stack: stacks.Stack, bootstrap_servers: str) -> AsyncIterator[TopicFactory]:
    """Makes topics: `await topic_factory(partitions=3, **configs)` gives a name."""
    embedded = stack.kind == "embedded"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    made: list[str] = []

    async def make(partitions: int = 3, **configs: str) -> str:
        name = f"test-{RUN}-{next(NUMBERS)}"
        if embedded:
            # The mock makes a topic for whoever asks for it, always with four partitions.
            await admin.describe_topics([name])
            return name
        topic = NewTopic(name, partitions, 1, topic_configs={key.replace("_", "."): v for key, v in configs.items()})
        await admin.create_topics([topic])
        made.append(name)
        return name

    yield make
    if made:
        await admin.delete_topics(made)
    await admin.close()


@pytest.fixture
def settings(stack: stacks.Stack, database_url: str) -> Settings:
    """The service's settings for a database and topics of this test's own."""
    return make_settings(stack, database_url)


def make_settings(stack: stacks.Stack, database_url: str) -> Settings:
    """Give settings for a database, with topics and a group of their own."""
    built = Settings(
        database_url=database_url,
        kafka_bootstrap_servers=stack.bootstrap_servers,
        topic_prefix=f"test-{RUN}-{next(NUMBERS)}.",
        topic_partitions=3,
        consumer_group=f"test-{RUN}-{next(NUMBERS)}",
        session_seconds=3,
        heartbeat_seconds=0.5,
        # A consumer stopped in the middle of a transaction keeps its locks for so long.
        idle_in_transaction_timeout_seconds=3,
        statement_timeout_seconds=10,
    )
    # What a mock of Kafka cannot do; addresses are this test's own.
    needs = {
        name: value for name, value in needs_of(stack).items() if name in ("topic_partitions", "accept_producer_time")
    }
    return built.model_copy(update=needs)
