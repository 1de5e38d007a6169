"""`python -m bench.growth`: the cost of a command and of an event against everything that must not make it grow."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Any, Final

from app import wiring
from app.settings import Settings
from bench import filling, flood, relaying, report
from bench.draining import consume_to_end
from bench.ground import UnfitGroundError, open_ground
from bench.program import Program, main
from bench.report import Row
from db.database import Database
from stack import Stack

BLOCKS: Final = "▁▂▃▄▅▆▇█"
PARTITIONS: Final = (1, 6, 24, 96)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: the first and last size, a tenfold each; commands and events at each, how often."""

    smallest: int = 1_000
    largest: int = 1_000_000
    commands: int = 5_000
    events: int = 20_000
    repeats: int = 3


Point = tuple[int, list[float]]
"""A size, and the microseconds that a command or event took, once for each repeat."""

Curve = Callable[[Stack, Sizes], AsyncIterator[Point]]


def tenfold(smallest: int, largest: int) -> Iterator[int]:
    """Give sizes, each ten times the one before."""
    size = smallest
    while size <= largest:
        yield size
        size *= 10


async def _repeat(sizes: Sizes, measure: Callable[[str], Awaitable[float]], name: str) -> list[float]:
    """Measure some times; the first one fills caches and is not counted."""
    return [await measure(f"{name}-{number}") for number in range(sizes.repeats + 1)][1:]


async def by_rows_kept(stack: Stack, sizes: Sizes) -> AsyncIterator[Point]:
    """An event, against the published rows that the outbox keeps."""
    async with open_ground(stack) as settings, wiring.open_database(settings) as database:
        kept = 0
        for size in tenfold(sizes.smallest, sizes.largest):
            await filling.add_unpublished(database, topic=settings.topic("events"), number=max(0, size - kept))
            await filling.see_all(database)
            kept = size + (sizes.repeats + 1) * sizes.events
            yield size, await _repeat(sizes, lambda _: _event_microseconds(settings, database, sizes), "kept")


async def by_keys_of_events(stack: Stack, sizes: Sizes) -> AsyncIterator[Point]:
    """An event, against the different keys among those relayed."""
    async with open_ground(stack) as settings, wiring.open_database(settings) as database:
        for size in tenfold(1, sizes.events):
            yield (
                size,
                await _repeat(sizes, lambda _, keys=size: _event_microseconds(settings, database, sizes, keys), "keys"),  # type: ignore[misc]
            )


async def by_inbox(stack: Stack, sizes: Sizes) -> AsyncIterator[Point]:
    """A command, against the commands that the inbox remembers."""
    async with open_ground(stack) as settings, wiring.open_database(settings) as database:
        await flood.register_owners(settings, database)
        filled, firsts = 0, count(step=sizes.commands)

        async def apply(_: str) -> float:
            records = flood.create_and_transfer(sizes.commands, first=next(firsts))
            return await _command_microseconds(settings, database, records, sizes)

        for size in tenfold(sizes.smallest, sizes.largest):
            await filling.fill(database, filling.FILL_INBOX, number=size - filled)
            await filling.vacuum(database)
            filled = size
            yield size, await _repeat(sizes, apply, "inbox")


async def by_squads(stack: Stack, sizes: Sizes) -> AsyncIterator[Point]:
    """A command, against the squads that there are; it is about any of them."""
    async with open_ground(stack) as settings, wiring.open_database(settings) as database:
        await flood.register_owners(settings, database)
        filled = 0
        for size in tenfold(sizes.smallest, sizes.largest):
            await _fill_squads(database, filled, size)
            filled = size
            step = max(1, size // sizes.commands)
            squads = [filling.filled_squad(number * step % size) for number in range(sizes.commands)]
            yield size, await _repeat(sizes, _project_maker(settings, database, squads, sizes), f"squads-{size}")


async def by_keys_of_commands(stack: Stack, sizes: Sizes) -> AsyncIterator[Point]:
    """A command, against the different keys among those applied."""
    async with open_ground(stack) as settings, wiring.open_database(settings) as database:
        await flood.register_owners(settings, database)
        await _fill_squads(database, 0, sizes.commands)
        for size in tenfold(1, sizes.commands):
            squads = [filling.filled_squad(number % size) for number in range(sizes.commands)]
            yield size, await _repeat(sizes, _project_maker(settings, database, squads, sizes), f"keys-{size}")


async def by_partitions(stack: Stack, sizes: Sizes) -> AsyncIterator[Point]:
    """A command, against the partitions that the consumer has."""
    for partitions in PARTITIONS:
        async with (
            open_ground(stack, partitions=partitions) as settings,
            wiring.open_database(settings) as database,
        ):
            await flood.register_owners(settings, database)
            await _fill_squads(database, 0, sizes.commands)
            squads = [filling.filled_squad(number) for number in range(sizes.commands)]
            yield partitions, await _repeat(sizes, _project_maker(settings, database, squads, sizes), "partitions")


async def _fill_squads(database: Database, first: int, end: int) -> None:
    await filling.fill(database, filling.FILL_SQUADS, first=first, number=end - first, owner=flood.OWNERS[0])
    await filling.vacuum(database)


def _project_maker(
    settings: Settings, database: Database, squads: list[str], sizes: Sizes
) -> Callable[[str], Awaitable[float]]:
    async def apply(name: str) -> float:
        return await _command_microseconds(settings, database, flood.create_projects(squads, name=name), sizes)

    return apply


async def _event_microseconds(settings: Settings, database: Database, sizes: Sizes, keys: int = 10_000) -> float:
    await filling.add_unpublished(database, topic=settings.topic("events"), number=sizes.events, keys=keys)
    found = await relaying.drain(settings, database)
    return 1e6 / float(found["events_per_second"])


async def _command_microseconds(
    settings: Settings, database: Database, records: Iterator[flood.Record], sizes: Sizes
) -> float:
    await flood.write(settings, records)
    counts, _, seconds = await consume_to_end(settings, database)
    if counts["applied"] != sizes.commands:
        raise UnfitGroundError(f"of {sizes.commands} commands these became: {dict(counts)}")
    return seconds / sizes.commands * 1e6


CURVES: Final[dict[str, tuple[str, Curve]]] = {
    "rows kept in the outbox": ("event", by_rows_kept),
    "keys among the events": ("event", by_keys_of_events),
    "commands in the inbox": ("command", by_inbox),
    "squads": ("command", by_squads),
    "keys among the commands": ("command", by_keys_of_commands),
    "partitions assigned": ("command", by_partitions),
}


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Measure every curve."""
    curves = {}
    for name, (unit, curve) in CURVES.items():
        points = [{"size": size, "microseconds": found} async for size, found in curve(stack, sizes)]
        curves[name] = {"unit": unit, "points": points}
        print(f"{unit} against {name}: {_line(points)}", flush=True)
    return {"curves": curves}


def _line(points: list[dict[str, Any]]) -> str:
    return ", ".join(f"{each['size']:,}: {median(each['microseconds']):.1f} us" for each in points)


def rows(results: dict[str, Any]) -> list[Row]:
    """Give the cost at the largest size beside that at the smallest."""
    found = []
    for name, curve in results["curves"].items():
        first, last = curve["points"][0], curve["points"][-1]
        words = f"cost of one {curve['unit']}, {name}: {last['size']:,}, beside {first['size']:,}"
        found.append(report.at_most(words, last["microseconds"], first["microseconds"], None, form="{:.1f} us"))
    return found


def details(results: dict[str, Any]) -> str:
    """Give every curve: the medians, and a line of blocks as high as they are."""
    lines = []
    for name, curve in results["curves"].items():
        medians = [median(each["microseconds"]) for each in curve["points"]]
        blocks = "".join(BLOCKS[round(each / max(medians) * (len(BLOCKS) - 1))] for each in medians)
        figures = ", ".join(
            f"{each['size']:,}: {found:.1f}" for each, found in zip(curve["points"], medians, strict=True)
        )
        lines.append((name, curve["unit"], blocks, figures))
    return report.as_table(("against", "of", "curve", "microseconds at each size"), lines)


PROGRAM: Final = Program(
    name="growth",
    module="bench.growth",
    summary="The cost of one command and of one event against everything that must not make it grow.",
    full=Sizes(),
    short=Sizes(smallest=10, largest=100, commands=100, events=100, repeats=1),
    measure=measure,
    rows=rows,
    details=details,
)

if __name__ == "__main__":
    main(PROGRAM)
