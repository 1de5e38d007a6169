"""`python -m bench.latency`: from the intended send time of a command to its event readable, beside the floor."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from statistics import median
from time import time
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from app import broker, topic_logs, wiring
from app.demo.beside import beside
from app.demo.latency import EventReader, Latency, summarise
from app.demo.workload import Planned, Workload
from app.settings import Settings
from bench import floor, report, service
from bench.ground import open_ground
from bench.program import Program, main
from bench.report import Row
from stack import Stack

RATE: Final = 200.0
PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: seconds at each rate, of them to warm up, commands sent at once for the capacity."""

    seconds: float = 6.0
    warm_up_seconds: float = 1.0
    capacity_commands: int = 15_000
    squads: int = 2_000
    rounds: int = 5


class LostError(Exception):
    """Events of some commands were not seen in time, so that no latency can be told."""


class Load:
    """Sends commands to a topic and reads what comes of them.

    Args:
        producer: of the Kafka client, started; sends each record at once.
        topic: of the commands.
        reader: of the events, running.
        workload: plans the commands, each of which causes one event.
    """

    def __init__(self, *, producer: AIOKafkaProducer, topic: str, reader: EventReader, workload: Workload) -> None:
        self.due: dict[str, float] = {}
        """By command id, the intended moments of those measured last, seconds since 1970."""
        self._producer = producer
        self._topic = topic
        self._reader = reader
        self._workload = workload

    async def measure(self, *, rate: float, seconds: float, warm_up_seconds: float) -> Latency:
        """Send at a fixed rate, whatever becomes of earlier ones, and time from the intended moments.

        Args:
            rate: commands per second.
            seconds: for how long.
            warm_up_seconds: before that, not counted.
        """
        planned = self._workload.steady(round(rate * (seconds + warm_up_seconds)))
        warm_up = round(rate * warm_up_seconds)
        began = time()
        due = [began + number / rate for number in range(len(planned))]
        for each, at in zip(planned, due, strict=True):
            await asyncio.sleep(max(0, at - time()))
            await self._send(each)
        await self.wait_for(planned)
        self.due = {each.id or "": at for each, at in list(zip(planned, due, strict=True))[warm_up:]}
        seen = [self._reader.seen_at[each] - at for each, at in self.due.items()]
        return summarise(seen, rate=rate, sent=len(seen))

    def stages(self, sent_at: Mapping[str, float], begun_at: Mapping[str, float]) -> dict[str, float]:
        """Give the medians of what the commands measured last spent their time on, in milliseconds.

        Args:
            sent_at: by command id, when the broker had the command.
            begun_at: when the transaction of its batch began.
        """
        published_at, seen_at = self._reader.published_at, self._reader.seen_at

        def middle(till: Mapping[str, float], since: Mapping[str, float]) -> float:
            return median(till[each] - since[each] for each in self.due) * 1000

        return {
            "to the broker": middle(sent_at, self.due),
            "until its transaction begins": middle(begun_at, sent_at),
            "transaction, and relay to the broker": middle(published_at, begun_at),
            "until the event is read": middle(seen_at, published_at),
        }

    async def flood(self, number: int) -> float:
        """Send so many at once; give how many per second came through."""
        planned = self._workload.steady(number)
        began = time()
        for each in planned:
            await self._send(each)
        await self.wait_for(planned)
        return len(planned) / (max(self._reader.seen_at[each.id or ""] for each in planned) - began)

    async def wait_for(self, planned: Iterable[Planned]) -> None:
        """Wait until the event of each is read.

        Raises:
            LostError: some are not, in time.
        """
        ids = {each.id or "" for each in planned}
        deadline = time() + PATIENCE_SECONDS
        while missing := ids - self._reader.seen_at.keys():
            if time() > deadline:
                raise LostError(f"{len(missing)} of {len(ids)} events were not seen")
            ids = missing
            await asyncio.sleep(0.01)

    async def begin(self) -> None:
        """Send a command now and then until the event of one is read: from then on the reader misses none."""
        while not self._reader.seen_at:
            (probe,) = self._workload.steady(1)
            await self._send(probe)
            await self._reader.wait_for([probe.id or ""], timeout_seconds=0.5)

    async def _send(self, planned: Planned) -> None:
        await self._producer.send(self._topic, planned.value, key=planned.key, headers=planned.headers)


@asynccontextmanager
async def open_load(settings: Settings, workload: Workload) -> AsyncIterator[Load]:
    """Give a load on the topics of these settings."""
    reader = EventReader(settings)
    producer = AIOKafkaProducer(**broker.client_arguments(settings), acks="all")
    await producer.start()
    try:
        async with beside(reader.run()):
            yield Load(producer=producer, topic=settings.topic("commands"), reader=reader, workload=workload)
    finally:
        await producer.stop()


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Run service and floor beside each other, and measure them in turn."""
    workload, another = (
        Workload(count=sizes.squads, seed=seed, source="/bench", time=datetime.now(UTC)) for _ in range(2)
    )
    async with open_ground(stack) as settings, open_ground(stack) as bare:
        with service.running(settings) as processes, floor.running(bare):
            async with wiring.open_database(settings) as database:
                watch = service.watch(settings, database, processes)
                await watch.until_ready()
                for stage in (workload.users(), workload.work()):
                    await _send(settings, stage)
                    await watch.until_decided(await topic_logs.end_offsets(settings, settings.topic("commands")))
            another.users()
            async with open_load(settings, workload) as ours, open_load(bare, another) as least:
                await ours.begin()
                await least.begin()
                rounds = [await _round(ours, least, sizes) for _ in range(sizes.rounds)]
                await ours.measure(rate=RATE, seconds=sizes.seconds, warm_up_seconds=sizes.warm_up_seconds)
                stages = ours.stages(*await _moments(settings))
    load = {"commands": "each creates a task", "bytes a command": _mean_bytes(workload.steady(100)), "key skew": "none"}
    return {"load": load, "stages": stages, "rounds": rounds}


async def _moments(settings: Settings) -> tuple[dict[str, float], dict[str, float]]:
    """Give when the broker had each command, by its clock, and when the transaction of its batch began."""
    async with wiring.open_database(settings) as database, database.sessions() as session:
        begun = await session.execute(
            text("SELECT command_id, CAST(extract(epoch FROM recorded_at) AS double precision) FROM inbox")
        )
        begun_at = {row.command_id: row[1] for row in begun}
    sent_at: dict[str, float] = {}
    async with aclosing(
        topic_logs.tail(settings, settings.topic("commands"), from_beginning=True, to_end=True)
    ) as records:
        async for record in records:
            sent_at.setdefault((dict(record.headers).get("ce_id") or b"").decode(), record.timestamp / 1000)
    return sent_at, begun_at


def _mean_bytes(planned: Sequence[Planned]) -> int:
    headers = sum(len(name) + len(content) for each in planned for name, content in each.headers)
    return round((headers + sum(len(each.key) + len(each.value) for each in planned)) / len(planned))


async def _send(settings: Settings, stage: Sequence[Planned]) -> None:
    async with broker.open_producer(settings) as producer:
        for each in stage:
            await producer.send(settings.topic("commands"), each.value, key=each.key, headers=each.headers)


async def _round(ours: Load, least: Load, sizes: Sizes) -> dict[str, Any]:
    capacity = await ours.flood(sizes.capacity_commands)
    found: dict[str, Any] = {"capacity_per_second": capacity}
    for rate, words in ((RATE, "at 200/s"), (capacity / 2, "at half of capacity")):
        for load, name in ((least, "floor"), (ours, "service")):
            latency = await load.measure(rate=rate, seconds=sizes.seconds, warm_up_seconds=sizes.warm_up_seconds)
            found[f"{name} {words}"] = asdict(latency)
    figures = "; ".join(
        f"{name} p50 {each['p50_seconds'] * 1000:.1f} ms, p99 {each['p99_seconds'] * 1000:.1f} ms"
        for name, each in found.items()
        if isinstance(each, dict)
    )
    print(f"capacity {capacity:,.0f}/s; {figures}", flush=True)
    return found


def rows(results: dict[str, Any]) -> list[Row]:
    """Give the ratios beside their targets."""

    def milliseconds(name: str, percentile: str) -> list[float]:
        return [each[name][f"{percentile}_seconds"] * 1000 for each in results["rounds"]]

    ours, least, half = "service at 200/s", "floor at 200/s", "service at half of capacity"
    way = "command sent to event readable"
    return [
        report.at_most(f"{way}, p50 at 200/s, beside the floor", *_pair(milliseconds, ours, least, "p50"), 3),
        report.at_most(f"{way}, p99 at 200/s, beside the floor", *_pair(milliseconds, ours, least, "p99"), 5),
        report.at_most(
            f"{way}, p99 at half of capacity, beside itself at 200/s", *_pair(milliseconds, half, ours, "p99"), 4
        ),
    ]


def _pair(milliseconds: Any, one: str, other: str, percentile: str) -> tuple[list[float], list[float]]:  # noqa: ANN401
    return milliseconds(one, percentile), milliseconds(other, percentile)


def details(results: dict[str, Any]) -> str:
    """Give the capacity, and every percentile."""
    rounds = results["rounds"]
    capacity = median(each["capacity_per_second"] for each in rounds)
    names = [name for name, each in rounds[0].items() if isinstance(each, dict)]
    lines = [
        (name, *(f"{median(each[name][part] for each in rounds) * 1000:.1f} ms" for part in PARTS)) for name in names
    ]
    said = f"Capacity, with load and reader on the same machine: {capacity:,.0f} commands/s. Medians of the rounds:"
    stages = report.as_table(
        ("what a command spends its time on at 200/s", "median"),
        [(name, f"{milliseconds:.1f} ms") for name, milliseconds in results["stages"].items()],
    )
    return f"{said}\n\n{report.as_table(('what', 'p50', 'p99', 'longest'), lines)}\n\n{stages}"


PARTS: Final = ("p50_seconds", "p99_seconds", "most_seconds")

PROGRAM: Final = Program(
    name="latency",
    module="bench.latency",
    summary="From the intended send time of a command to its event readable, at 200 commands/s and at half of "
    "capacity, beside the floor: bare produce, consume, one `unnest` insert, produce, consume.",
    full=Sizes(),
    short=Sizes(seconds=0.5, warm_up_seconds=0.1, capacity_commands=200, squads=100, rounds=1),
    measure=measure,
    rows=rows,
    details=details,
)

if __name__ == "__main__":
    main(PROGRAM)
