"""All checks at once: each group has its own time, and none keeps another from being made."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from app import topic_facts, wiring
from app.broker import KafkaError, TopicError
from app.doctor import progress, topics
from app.doctor.finding import Finding, failed, passed
from app.doctor.hosts import check_hosts
from app.doctor.schema import check_schema
from app.doctor.server import check_server
from app.doctor.stacks import check_stacks
from app.settings import Settings, masked, variable
from app.topic_facts import ClusterFacts

_ADVICE: Final[Mapping[str, str]] = {
    "postgres": f"see that the server runs and that {variable('database_url')} is right",
    "kafka": f"see that the brokers run and that {variable('kafka_bootstrap_servers')} is right",
    "progress": "put right what is above first",
}
"""What to do where a group of checks was not made."""


async def examine(settings: Settings, environment: Mapping[str, str], *, timeout_seconds: float) -> list[Finding]:
    """Make every check, and give what was found, in the order in which it is put right.

    Args:
        settings: of the service.
        environment: the process environment, for what this machine could run.
        timeout_seconds: how long each of PostgreSQL and Kafka may take, and what needs both.
    """
    doctor = _Doctor(settings, timeout_seconds)
    async with asyncio.TaskGroup() as tasks:
        database = tasks.create_task(doctor.ask("postgres", doctor.examine_database))
        kafka = tasks.create_task(doctor.ask("kafka", doctor.examine_kafka))
        stacks = tasks.create_task(asyncio.to_thread(check_stacks, environment))
    both = await doctor.ask("progress", doctor.examine_progress)
    return [*database.result(), *kafka.result(), *both, stacks.result()]


class _Doctor:
    """Makes the groups of checks, and remembers what a later group needs."""

    def __init__(self, settings: Settings, timeout_seconds: float) -> None:
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._cluster: ClusterFacts | None = None
        self._has_schema = False

    async def ask(self, name: str, group: Callable[[list[Finding]], Awaitable[None]]) -> list[Finding]:
        """Make a group of checks; what it did not come to is a finding itself.

        Args:
            name: of the finding then.
            group: adds its findings to a list.
        """
        findings: list[Finding] = []
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await group(findings)
        except TimeoutError:
            findings.append(failed(name, f"no answer within {self._timeout_seconds:g} s", _ADVICE[name]))
        except (KafkaError, TopicError) as error:
            findings.append(failed(name, str(error) or type(error).__name__, _ADVICE[name]))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the other checks are made
            findings.append(failed(name, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}", _ADVICE[name]))
        return findings

    async def examine_database(self, findings: list[Finding]) -> None:
        """Look at the server, then at the schema."""
        url = make_url(self._settings.database_url)
        async with self._connection() as connection:
            findings.append(passed("postgres", masked("database_url", url)))
            await _collect(findings, check_hosts(self._settings))
            await _collect(findings, check_server(connection, self._settings))
            await _collect(findings, check_schema(connection, self._settings))
            self._has_schema = not any(each.name == "migrations" and each.verdict == "fail" for each in findings)
            if self._has_schema:
                await _collect(findings, progress.check_processes(connection))

    async def examine_kafka(self, findings: list[Finding]) -> None:
        """Look at the brokers, then at the topics."""
        self._cluster = await topic_facts.read_cluster(self._settings)
        findings.append(topics.check_cluster(self._cluster))
        findings += topics.check_topics(self._cluster, self._settings)

    async def examine_progress(self, findings: list[Finding]) -> None:
        """Compare checkpoints and logs, where both can be had."""
        topic = self._settings.topic("commands")
        commands = self._cluster.topics.get(topic) if self._cluster is not None else None
        if commands is None:
            return
        logs = await topic_facts.read_logs(self._settings, topic, commands.partitions, moment=progress.latest_stamp())
        if not self._settings.accept_producer_time:
            findings.append(progress.check_stamps(topic, logs))
        if self._has_schema:
            async with self._connection() as connection:
                checkpoints = await progress.load_checkpoints(connection, self._settings)
            findings += progress.check_checkpoints(checkpoints, logs)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        async with (
            wiring.open_database(self._settings, pool_size=1) as database,
            database.engine.connect() as connection,
        ):
            # Each question stands alone: one that fails must not fail those after it.
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")


async def _collect(findings: list[Finding], found: AsyncIterator[Finding]) -> None:
    async for finding in found:
        findings.append(finding)  # noqa: PERF401 - what was found before a failure is kept
