"""Peers beside us: a FastStream handler beside our consumer, two outbox relays beside ours."""

import gc
import json
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from app import broker, wiring
from app.settings import Settings
from bench import consuming, relaying, report
from bench.draining import consume_to_end
from bench.ground import Ground, fresh_database, prepare, reset_checkpoints
from bench.peers.measuring import run_peer
from bench.program import Program
from bench.relaying import Ready
from bench.report import Row
from consumers import kafka_client
from stack import Stack

WARM_UP: Final = 100
"""Commands that FastStream handles before its clock starts."""

CONSUMERS: Final = (
    ("FastStream, a worker a partition", "a FastStream handler with the guide's code, as many workers as partitions"),
    ("FastStream, one worker", "the same with one worker"),
)
RELAYS: Final = (("txoutbox", 8.0), ("faststream-outbox", 30.0))
CONSUMER_TARGET: Final = 60.0

ORDER: Final = (
    "Ours and txoutbox keep the order of each key; faststream-outbox, whose workers run side by side, does not."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: our commands, FastStream's of them, rows that each relay publishes, rounds."""

    commands: int = 40_000
    faststream_commands: int = 1_000
    relayed_rows: int = 30_000
    rounds: int = 5


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Prepare the ground and run all rounds."""
    rounds = []
    async with prepare(stack, number=sizes.commands, seed=seed) as ground:
        for number in range(sizes.rounds):
            found = await _consumers(ground, sizes.faststream_commands)
            rounds.append(found | await _relays(ground, sizes.relayed_rows))
            print(f"round {number + 1} of {sizes.rounds}: {json.dumps(_rates(rounds[-1]))}", flush=True)
            gc.collect()
    return {"load": ground.load, "rounds": rounds}


def _rates(one: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {
        name: f"{each.get('commands_per_second') or each['events_per_second']:,.0f}/s"
        if each.get("status", "measured") == "measured"
        else each["status"]
        for name, each in one.items()
    }


async def _consumers(ground: Ground, number: int) -> dict[str, dict[str, Any]]:
    found = {"consumer": await consuming.run_ours(ground, lanes=2)}
    for (name, _), workers in zip(CONSUMERS, (ground.settings.topic_partitions, 1), strict=True):
        async with fresh_database(ground) as settings:
            await _commit_offsets(settings, ground.first_offsets)
            given = {
                "database_url": report.bare_url(settings.database_url),
                "bootstrap_servers": settings.kafka_bootstrap_servers,
                "topic": settings.topic("commands"),
                "group": settings.consumer_group,
                "workers": workers,
                "warm_up": WARM_UP,
                "commands": number,
            }
            found[name] = await run_peer("faststream", given)
    return found


async def _commit_offsets(settings: Settings, offsets: dict[int, int]) -> None:
    """Let a group begin where the measured commands begin."""
    client = AIOKafkaConsumer(
        **broker.client_arguments(settings), group_id=settings.consumer_group, enable_auto_commit=False
    )
    async with kafka_client.opened(client) as consumer:
        places = {TopicPartition(settings.topic("commands"), number): offset for number, offset in offsets.items()}
        consumer.assign(list(places))
        await consumer.commit(places)


async def _relays(ground: Ground, number: int) -> dict[str, dict[str, Any]]:
    """Let each relay publish the same rows; ours from our outbox, theirs from their own tables."""
    async with AsyncExitStack() as resources:
        settings = await resources.enter_async_context(fresh_database(ground))
        database = await resources.enter_async_context(wiring.open_database(settings))
        directory = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="bench-peers-")))
        await reset_checkpoints(database, settings, ground.first_offsets)
        await consume_to_end(settings, database)
        await relaying.keep_first(database, number)
        found = {"relay": await relaying.drain(settings, database)}
        records = await relaying.collect(settings)
        _write(records, directory / "rows")
        given = {
            "database_url": report.bare_url(settings.database_url),
            "bootstrap_servers": settings.kafka_bootstrap_servers,
            "rows": str(directory / "rows"),
        }
        for name, _ in RELAYS:
            found[name] = await run_peer(name.replace("-", "_"), given)
    return found


def _write(records: Sequence[Ready], path: Path) -> None:
    """Write topic, key, value and headers, a line a record; all of them are text."""
    with path.open("w") as file:
        for record in records:
            headers = {name: (value or b"").decode() for name, value in record.headers}
            key = None if record.key is None else record.key.decode()
            file.write(json.dumps((record.topic, key, (record.value or b"").decode(), headers)) + "\n")


def rows(results: dict[str, Any]) -> list[Row]:
    """Give the ratios beside their targets; of a peer that was not measured, why."""
    found = []
    for name, words in CONSUMERS:
        target = CONSUMER_TARGET if name == CONSUMERS[0][0] else None
        found.append(_row(results, f"commands applied, beside {words}", ("consumer", name), "commands", target))
    for name, wanted in RELAYS:
        found.append(_row(results, f"events relayed, beside {name}", ("relay", name), "events", wanted))
    return found


def _row(results: dict[str, Any], words: str, pair: tuple[str, str], unit: str, target: float | None) -> Row:
    one, other = ([each[name] for each in results["rounds"]] for name in pair)
    missing = [each["status"] for each in other if each["status"] != "measured"]
    if missing:
        return Row(what=words, measured=missing[0])
    rate = f"{unit}_per_second"
    return report.at_least(words, [each[rate] for each in one], [each[rate] for each in other], target)


def details(results: dict[str, Any]) -> str:
    """Give the peers' versions, and what they promise less than we do."""
    versions = {name: each["version"] for name, each in results["rounds"][0].items() if "version" in each}
    return "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".\n\n" + ORDER


PROGRAM: Final = Program(
    name="peers",
    module="bench.peers",
    summary="FastStream applies commands with the guide's code; txoutbox and faststream-outbox relay the same rows. "
    "Each in an environment of its own, tuned as its documents say.",
    full=Sizes(),
    short=Sizes(commands=2_000, faststream_commands=20, relayed_rows=3_000, rounds=1),
    measure=measure,
    rows=rows,
    details=details,
)
