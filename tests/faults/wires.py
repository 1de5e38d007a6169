"""A process's ways to PostgreSQL and Kafka, each through a proxy of its own that tells the journal what it does."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.settings import Settings
from tests.faults.proxy import Proxy
from tests.faults.proxying import before_kafka, before_postgres
from tests.faults.rules import Deed
from tests.faults.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What is between a process and the servers.

    Attributes:
        settings: for the process.
        postgres: the proxy before PostgreSQL.
        kafka: those before the brokers.
    """

    settings: Settings
    postgres: Proxy
    kafka: list[Proxy]


@asynccontextmanager
async def wired(run: Scenario, whose: str, **settings: object) -> AsyncIterator[Wire]:
    """Give the wires of a process, healed with the scenario.

    Args:
        run: the scenario.
        whose: such as `consumer`, for the journal; each thing done to a relay's wires counts as a break.
        settings: in which the process differs from the scenario's others.
    """
    async with (
        before_postgres(run.settings.database_url) as (postgres, url),
        before_kafka(run.settings.kafka_bootstrap_servers) as (kafka, servers),
    ):
        postgres.on_deed = _telling(run, whose, "PostgreSQL")
        for proxy in kafka:
            proxy.on_deed = _telling(run, whose, "Kafka")

        async def heal() -> None:
            for proxy in [postgres, *kafka]:
                proxy.heal()

        run.on_heal(heal)
        own = {"database_url": url, "database_ssl_mode": "disable", "kafka_bootstrap_servers": servers}
        yield Wire(settings=run.settings.model_copy(update=own | settings), postgres=postgres, kafka=kafka)


def _telling(run: Scenario, whose: str, server: str) -> Callable[[Deed], None]:
    def tell(deed: Deed) -> None:
        what = deed.action.partition(" (")[0].partition(" for ")[0]
        run.journal.note(f"{whose} and {server}: {what}", breaks=int(whose.startswith("relay")), deed=str(deed))

    return tell
