"""`python -m bench.growth`: the cost of a command and of an event against everything that must not make it grow."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
    largest_partitions: int = 96
    commands: int = 5_000
    events: int = 20_000
    repeats: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a curve is measured."""

    settings: Settings
    database: Database
    sizes: Sizes


Point = tuple[int, list[float]]
"""A size, and the microseconds that a command or event took, once for each repeat."""

Curve = Callable[[Place], AsyncIterator[Point]]


@asynccontextmanager
async def open_place(stack: Stack, sizes: Sizes, *, partitions: int = 6) -> AsyncIterator[Place]:
    """Give a place with the owners whom squads need."""
    async with open_ground(stack, partitions=partitions) as settings, wiring.open_database(settings) as database:
        await flood.register_owners(settings, database)
        yield Place(settings=settings, database=database, sizes=sizes)


def tenfold(smallest: int, largest: int) -> Iterator[int]:
    """Give sizes, each ten times the one before."""
    size = smallest
    while size <= largest:
        yield size
        size *= 10


async def _repeat(sizes: Sizes, measure: Callable[[str], Awaitable[float]], name: str) -> list[float]:
    """Measure some times; the first one fills caches and is not counted."""
    return [await measure(f"{name}-{number}") for number in range(sizes.repeats + 1)][1:]


async def by_keys_of_events(place: Place) -> AsyncIterator[Point]:
    """An event, against the different keys among those relayed."""
    for size in tenfold(1, place.sizes.events):

        async def relay(_: str, keys: int = size) -> float:
            return await _event_microseconds(place, keys)

        yield size, await _repeat(place.sizes, relay, "keys")


async def by_rows_kept(place: Place) -> AsyncIterator[Point]:
    """An event, against the published rows that the outbox keeps."""
    kept = 0
    for size in tenfold(place.sizes.smallest, place.sizes.largest):
        topic = place.settings.topic("events")
        await filling.add_unpublished(place.database, topic=topic, number=max(0, size - kept))
        await filling.see_all(place.database)
        kept = size + (place.sizes.repeats + 1) * place.sizes.events

        async def relay(_: str) -> float:
            return await _event_microseconds(place, 10_000)

        yield size, await _repeat(place.sizes, relay, "kept")


async def by_squads(place: Place) -> AsyncIterator[Point]:
    """A command, against the squads that there are; it is about any of them."""
    filled, commands = 0, place.sizes.commands
    for size in tenfold(place.sizes.smallest, place.sizes.largest):
        await _fill_squads(place, filled, size)
        filled = size
        step = max(1, size // commands)
        squads = [filling.filled_squad(number * step % size) for number in range(commands)]
        yield size, await _repeat(place.sizes, _maker_of_projects(place, squads), f"squads-{size}")


async def by_keys_of_commands(place: Place) -> AsyncIterator[Point]:
    """A command, against the different keys among those applied; the squads are there."""
    for size in tenfold(1, place.sizes.commands):
        squads = [filling.filled_squad(number % size) for number in range(place.sizes.commands)]
        yield size, await _repeat(place.sizes, _maker_of_projects(place, squads), f"keys-{size}")


async def by_inbox(place: Place) -> AsyncIterator[Point]:
    """A command, against the commands that the inbox remembers, some thousand of earlier curves not counted."""
    filled, squads = 0, [filling.filled_squad(number) for number in range(place.sizes.commands)]
    for size in tenfold(place.sizes.smallest, place.sizes.largest):
        await filling.fill(place.database, filling.FILL_INBOX, number=size - filled)
        await filling.vacuum(place.database)
        filled = size
        yield size, await _repeat(place.sizes, _maker_of_projects(place, squads), f"inbox-{size}")


async def by_partitions(stack: Stack, sizes: Sizes) -> AsyncIterator[Point]:
    """A command, against the partitions that the consumer has; each number of them in a place of its own."""
    squads = [filling.filled_squad(number) for number in range(sizes.commands)]
    for partitions in PARTITIONS:
        if partitions <= sizes.largest_partitions:
            async with open_place(stack, sizes, partitions=partitions) as place:
                await _fill_squads(place, 0, sizes.commands)
                yield partitions, await _repeat(sizes, _maker_of_projects(place, squads), "partitions")


async def _fill_squads(place: Place, first: int, end: int) -> None:
    number, owner = end - first, flood.OWNERS[0]
    await filling.fill(place.database, filling.FILL_SQUADS, first=first, number=number, owner=owner)
    await filling.vacuum(place.database)


def _maker_of_projects(place: Place, squads: list[str]) -> Callable[[str], Awaitable[float]]:
    async def apply(name: str) -> float:
        await flood.write(place.settings, flood.create_projects(squads, name=name))
        counts, _, seconds = await consume_to_end(place.settings, place.database)
        if counts["applied"] != len(squads):
            raise UnfitGroundError(f"of {len(squads)} commands these became: {dict(counts)}")
        return seconds / len(squads) * 1e6

    return apply


async def _event_microseconds(place: Place, keys: int) -> float:
    topic, number = place.settings.topic("events"), place.sizes.events
    await filling.add_unpublished(place.database, topic=topic, number=number, keys=keys)
    found = await relaying.drain(place.settings, place.database)
    return 1e6 / float(found["events_per_second"])


EVENT_CURVES: Final[dict[str, Curve]] = {
    "keys among the events": by_keys_of_events,
    "rows kept in the outbox": by_rows_kept,
}
COMMAND_CURVES: Final[dict[str, Curve]] = {
    "squads": by_squads,
    "keys among the commands": by_keys_of_commands,
    "commands in the inbox": by_inbox,
}


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Measure every curve."""
    curves: dict[str, Any] = {}

    async def note(name: str, unit: str, points: AsyncIterator[Point]) -> None:
        found = [{"size": size, "microseconds": microseconds} async for size, microseconds in points]
        curves[name] = {"unit": unit, "points": found}
        print(f"{unit} against {name}: {_line(found)}", flush=True)

    for unit, group in (("event", EVENT_CURVES), ("command", COMMAND_CURVES)):
        async with open_place(stack, sizes) as place:
            await filling.see_all(place.database)
            for name, curve in group.items():
                await note(name, unit, curve(place))
    await note("partitions assigned", "command", by_partitions(stack, sizes))
    load = {"bytes a body of the events": filling.BODY_BYTES, "commands": "each creates a project"}
    return {"load": load, "curves": curves}


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
    short=Sizes(smallest=10, largest=10, largest_partitions=1, commands=10, events=10, repeats=1),
    measure=measure,
    rows=rows,
    details=details,
)

if __name__ == "__main__":
    main(PROGRAM)
