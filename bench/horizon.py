"""`python -m bench.horizon`: the relay while another transaction holds the horizon, beside itself without."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Final

from sqlalchemy import text

from app import broker, wiring
from app.settings import Settings
from bench import filling, relaying, report
from bench.ground import open_ground
from bench.program import Program, main
from bench.report import Row
from db.database import Database
from outbox.publisher import KafkaPublisher
from outbox.relay import Relay
from stack import Stack

TABLES: Final = text(
    """
    SELECT CASE WHEN relname LIKE 'outbox%' THEN 'outbox' ELSE relname END AS name,
           sum(n_dead_tup) AS dead, sum(pg_total_relation_size(relid)) AS bytes
    FROM pg_stat_user_tables
    WHERE relname LIKE 'outbox%' OR relname IN ('relay_cursors', 'leases')
    GROUP BY 1
    """
)

HELD_BACK: Final = text("SELECT age(backend_xmin) FROM pg_stat_activity WHERE pid = :pid")


class NotHeldError(Exception):
    """The transaction that was to hold the horizon did not: what was measured means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: how long it is held, rows a drain, the load between drains and how many a second it is."""

    minutes: float = 10.0
    relayed_rows: int = 40_000
    drains: int = 5
    seconds_between: float = 30.0
    load_rows: int = 100
    passes_per_second: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it happens: a database, its outbox, and a relay that has the lease all the time."""

    settings: Settings
    database: Database
    relay: Relay


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Drain some windows; then drain others for as long as a transaction with a snapshot stays open, under load."""
    async with AsyncExitStack() as resources:
        settings = await resources.enter_async_context(open_ground(stack))
        database = await resources.enter_async_context(wiring.open_database(settings))
        publisher = KafkaPublisher(client=broker.client_arguments(settings))
        resources.push_async_callback(publisher.close)
        relay, lease = relaying.build_relay(database, publisher, ttl_seconds=sizes.minutes * 60 + 600)
        resources.push_async_callback(relay.close)
        await lease.acquire_once()
        place = Place(settings=settings, database=database, relay=relay)
        await _drain(place, sizes)  # fills caches, prepares statements
        without = [await _drain(place, sizes) for _ in range(sizes.drains)]
        before = await _tables(database)
        held, transactions = await _hold(place, sizes)
        after = await _tables(database)
        again = [await _drain(place, sizes) for _ in range(sizes.drains)]
    load = {"bytes a body": filling.BODY_BYTES, "keys": 10_000, "key skew": "none"}
    rates = {"without": without, "held": held, "again": again}
    return {"load": load, **rates, "held_transactions": transactions, "before": before, "after": after}


async def _hold(place: Place, sizes: Sizes) -> tuple[list[float], int]:
    """Give the rates of the drains while the horizon is held, and how many transactions it was held back by.

    Raises:
        NotHeldError: it was not held to the end.
    """
    async with place.database.engine.connect() as holder:
        await holder.execute(text("SET idle_in_transaction_session_timeout = 0"))
        await holder.commit()
        await holder.execution_options(isolation_level="REPEATABLE READ")
        pid = await holder.scalar(text("SELECT pg_backend_pid() FROM relay_cursors"))
        ends, rates = perf_counter() + sizes.minutes * 60, []
        while perf_counter() < ends:
            await _load(place, sizes, min(perf_counter() + sizes.seconds_between, ends))
            rates.append(await _drain(place, sizes))
            print(f"{max(0, ends - perf_counter()):.0f} s left, {rates[-1]:,.0f}/s", flush=True)
        # As many as before, now that it was held for so long.
        rates += [await _drain(place, sizes) for _ in range(sizes.drains)]
        async with place.database.sessions() as session:
            transactions = await session.scalar(HELD_BACK, {"pid": pid})
        if transactions is None:
            raise NotHeldError
        await holder.rollback()
    return rates, int(transactions)


async def _load(place: Place, sizes: Sizes, until: float) -> None:
    """Commit and relay a few rows many times a second: each pass leaves a dead version of the cursor's row behind."""
    while (began := perf_counter()) < until:
        await filling.add_unpublished(
            place.database, topic=place.settings.topic("events"), number=sizes.load_rows, keys=100
        )
        await place.relay.pass_once()
        await asyncio.sleep(max(0, 1 / sizes.passes_per_second - (perf_counter() - began)))


async def _drain(place: Place, sizes: Sizes) -> float:
    await filling.add_unpublished(place.database, topic=place.settings.topic("events"), number=sizes.relayed_rows)
    began = perf_counter()
    relayed = await place.relay.pass_once()
    return relayed / (perf_counter() - began)


async def _tables(database: Database) -> dict[str, dict[str, int]]:
    """Give dead rows and bytes of the relay's tables, with their indexes."""
    async with database.sessions() as session:
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
    await asyncio.sleep(1.1)  # other connections tell their counts once a second
    async with database.sessions() as session:
        found = await session.execute(TABLES)
        return {row.name: {"dead_rows": int(row.dead), "bytes": int(row.bytes)} for row in found}


def rows(results: dict[str, Any]) -> list[Row]:
    """Give the ratio of the last drains while it was held to those before and after, beside its target."""
    last = results["held"][-results["sizes"]["drains"] :]
    without = [(one + other) / 2 for one, other in zip(results["without"], results["again"], strict=True)]
    words = f"events relayed, the horizon held for {results['sizes']['minutes']:g} minutes, beside itself without"
    return [report.at_least(words, last, without, 0.9)]


def details(results: dict[str, Any]) -> str:
    """Give what was left behind meanwhile, and the rate afterwards."""
    lines = [
        (
            name,
            f"{before['dead_rows']:,}",
            f"{results['after'][name]['dead_rows']:,}",
            f"{before['bytes'] / 2**20:,.1f} MiB",
            f"{results['after'][name]['bytes'] / 2**20:,.1f} MiB",
        )
        for name, before in results["before"].items()
    ]
    table = report.as_table(("table", "dead rows before", "at the end", "size before", "at the end"), lines)
    rates = ", ".join(f"{each:,.0f}" for each in results["held"])
    again = median(results["again"])
    held = f"It was held back by {results['held_transactions']:,} transactions."
    return f"{table}\n\n{held} Events/s meanwhile: {rates}. Afterwards: {again:,.0f} (median)."


PROGRAM: Final = Program(
    name="horizon",
    module="bench.horizon",
    summary="The relay while another transaction's snapshot keeps dead rows from being removed, under load, beside "
    "itself without.",
    full=Sizes(),
    short=Sizes(minutes=0.02, relayed_rows=1_000, drains=1, seconds_between=0.5, load_rows=10),
    measure=measure,
    rows=rows,
    details=details,
)

if __name__ == "__main__":
    main(PROGRAM)
