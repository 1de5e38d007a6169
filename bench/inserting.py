"""`python -m bench.inserting`: a batch's outbox rows by COPY and by two kinds of unnest, in turn (ADR 0002)."""

import asyncio
import os
import random
import resource
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from time import perf_counter
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app import wiring
from app.settings import Settings
from bench.ground import administer, new_id
from bench.program import Program, main
from bench.report import Row
from db.database import Database
from messages.envelope import microseconds
from outbox.append import ROWS, row
from stack import Stack

COLUMNS = ROWS.columns
TYPES = (
    *("timestamptz", "timestamptz", "bigint", "smallint", "uuid", "text", "bytea"),
    *("text", "text", "text", "text", "text", "text", "text", "jsonb", "text", "text", "bytea"),
)
CASTS = {"header_names": "::text[]", "header_values": "::bytea[]"}
"""Arrays in rows travel as literals: unnest of a two-dimensional array flattens it."""

NOW = datetime(2026, 11, 23, tzinfo=UTC)
UNNEST = text(
    f"""
    INSERT INTO outbox ({", ".join(COLUMNS)})
    SELECT {", ".join(f"x.{name}{CASTS.get(name, '')}" for name in COLUMNS)}
    FROM unnest({", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in zip(COLUMNS, TYPES, strict=True))})
        WITH ORDINALITY AS x({", ".join(COLUMNS)}, ordinality)
    ORDER BY x.ordinality
    """  # noqa: S608 - constants only
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: rows of a batch, batches of each way."""

    rows: int = 1_000
    rounds: int = 40


def make_rows(chance: random.Random, number: int) -> list[tuple[Any, ...]]:
    """Make the rows of a batch."""
    return [
        row(
            topic="squad.events",
            key=new_id(chance).encode(),
            event_id=new_id(chance),
            type="squad.created.v1",
            source="/agent-squad",
            time_microseconds=microseconds(NOW),
            recorded_microseconds=microseconds(NOW),
            sequence=sequence,
            correlation_id=new_id(chance),
            causation_id=new_id(chance),
            dataschema="urn:agent-squad:schema:squad.created.v1:1",
            content_type="application/json",
            body=b"x" * 250,
        )
        for sequence in range(number)
    ]


def _as_the_driver_takes_it(one: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give a row with its two times as objects."""
    return (NOW, NOW, *one[2:])


async def by_arrays(session: AsyncSession, batch: list[tuple[Any, ...]]) -> None:
    """Insert by one statement with an array for each column."""
    columns = zip(*map(_as_the_driver_takes_it, batch), strict=True)
    await session.execute(UNNEST, {name: list(each) for name, each in zip(COLUMNS, columns, strict=True)})


async def by_rows(session: AsyncSession, batch: list[tuple[Any, ...]]) -> None:
    """Insert by one statement with one array of rows, as we do."""
    await ROWS.insert(session, batch)


async def by_copy(session: AsyncSession, batch: list[tuple[Any, ...]]) -> None:
    """Insert by COPY."""
    await session.execute(text("SELECT 1"))  # begins the transaction
    driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
    await driver.copy_records_to_table("outbox", columns=COLUMNS, records=map(_as_the_driver_takes_it, batch))


WAYS = {"an array a column": by_arrays, "an array of rows": by_rows, "COPY": by_copy}


async def compare(database: Database, *, rounds: int, size: int, seed: int) -> dict[str, Any]:
    """Give milliseconds a batch for each way, of wall time and of our own processor time."""
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
    found: dict[str, dict[str, list[float]]] = {}
    for number in range(rounds + 3):
        for name, add in WAYS.items():
            batch = make_rows(chance, size)
            wall, own = perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
            async with database.transaction() as session:
                await add(session, batch)
            spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime - own
            if number >= 3:  # the first ones fill caches
                figures = found.setdefault(name, {"wall": [], "own": []})
                figures["wall"].append((perf_counter() - wall) * 1000)
                figures["own"].append(spent * 1000)
    return {name: {kind: median(each) for kind, each in figures.items()} for name, figures in found.items()}


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Prepare a database and measure."""
    name = f"inserting_{os.getpid()}"
    await administer(stack, f"CREATE DATABASE {name}")
    settings = Settings(database_url=f"{stack.database_url.rpartition('/')[0]}/{name}")
    await asyncio.to_thread(wiring.migrate, settings)
    await wiring.make_partitions(settings)
    async with wiring.open_database(settings) as database:
        figures = await compare(database, rounds=sizes.rounds, size=sizes.rows, seed=seed)
    await administer(stack, f"DROP DATABASE {name} WITH (FORCE)")
    return {"rows": sizes.rows, "milliseconds": figures}


def rows(results: dict[str, Any]) -> list[Row]:
    """Give each way beside COPY."""
    copied = results["milliseconds"]["COPY"]
    return [
        Row(
            what=f"{results['rows']:,} outbox rows inserted, {name}, beside COPY",
            measured=f"{each['wall']:.1f} ms",
            beside=f"{copied['wall']:.1f} ms",
            median=f"{each['wall'] / copied['wall']:.2f} x",
        )
        for name, each in results["milliseconds"].items()
        if name != "COPY"
    ]


PROGRAM: Final = Program(
    name="inserting",
    module="bench.inserting",
    summary="A batch's outbox rows by COPY and by two kinds of `unnest` (ADR 0002).",
    full=Sizes(),
    short=Sizes(rounds=2),
    measure=measure,
    rows=rows,
)

if __name__ == "__main__":
    main(PROGRAM)
