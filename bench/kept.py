"""`python -m bench.kept`: the relay with ten million published rows kept, beside itself with none."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Final

from app import broker, wiring
from app.settings import Settings
from bench import filling, relaying, report
from bench.ground import open_ground
from bench.program import Program, main
from bench.report import Row
from db.database import Database
from outbox.publisher import KafkaPublisher
from stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: rows kept, in how many days' partitions, rows relayed, passes without work, rounds."""

    kept_rows: int = 10_000_000
    days: int = 14
    relayed_rows: int = 40_000
    idle_passes: int = 200
    rounds: int = 5


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Measure on an empty outbox and on a filled one, in turn."""
    async with AsyncExitStack() as resources:
        places: dict[str, tuple[Settings, Database]] = {}
        for name in ("none", "kept"):
            settings = await resources.enter_async_context(open_ground(stack))
            places[name] = settings, await resources.enter_async_context(wiring.open_database(settings))
        began = perf_counter()
        settings, database = places["kept"]
        await filling.add_published(database, topic=settings.topic("events"), number=sizes.kept_rows, days=sizes.days)
        print(f"{sizes.kept_rows:,} rows filled in {perf_counter() - began:.0f} s", flush=True)
        await filling.see_all(places["none"][1])
        rounds = []
        for number in range(-1, sizes.rounds):
            found = {name: await _round(*place, sizes) for name, place in places.items()}
            if number >= 0:  # the first one fills caches
                rounds.append(found)
                print(
                    ", ".join(f"{name} {each['events_per_second']:,.0f}/s" for name, each in found.items()), flush=True
                )
    return {"load": {"bytes a body": filling.BODY_BYTES, "keys": 10_000, "key skew": "none"}, "rounds": rounds}


async def _round(settings: Settings, database: Database, sizes: Sizes) -> dict[str, Any]:
    await filling.add_unpublished(database, topic=settings.topic("events"), number=sizes.relayed_rows)
    relayed = await relaying.drain(settings, database)
    return relayed | {"idle_pass_seconds": await _idle_pass_seconds(settings, database, sizes.idle_passes)}


async def _idle_pass_seconds(settings: Settings, database: Database, passes: int) -> float:
    """Give the median time of a pass that finds nothing."""
    publisher = KafkaPublisher(client=broker.client_arguments(settings))
    relay, lease = relaying.build_relay(database, publisher)
    await lease.acquire_once()
    seconds = []
    try:
        await relay.pass_once()  # connects, and prepares its statements
        for _ in range(passes):
            began = perf_counter()
            await relay.pass_once()
            seconds.append(perf_counter() - began)
    finally:
        await relay.close()
        await publisher.close()
        await lease.release()
    return median(seconds)


def rows(results: dict[str, Any]) -> list[Row]:
    """Give the ratio beside its target, and what an idle pass takes."""

    def of(name: str, figure: str) -> list[float]:
        return [each[name][figure] for each in results["rounds"]]

    words = f"{results['sizes']['kept_rows']:,} published rows kept"
    rates = of("kept", "events_per_second"), of("none", "events_per_second")
    idle = [each * 1000 for each in of("kept", "idle_pass_seconds")]
    beside = [each * 1000 for each in of("none", "idle_pass_seconds")]
    return [
        report.at_least(f"events relayed, {words}, beside none", *rates, 0.9),
        report.at_most(f"a pass that finds nothing, {words}, beside none", idle, beside, None, form="{:.2f} ms"),
    ]


PROGRAM: Final = Program(
    name="kept",
    module="bench.kept",
    summary="The relay with ten million published rows kept in two weeks' partitions, beside itself with none.",
    full=Sizes(),
    short=Sizes(kept_rows=2_000, days=2, relayed_rows=1_000, idle_passes=5, rounds=1),
    measure=measure,
    rows=rows,
)

if __name__ == "__main__":
    main(PROGRAM)
