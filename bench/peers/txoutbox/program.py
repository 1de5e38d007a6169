"""txoutbox relays rows to Kafka: its own table, storage and relay, tuned as its README says. Prints JSON.

Runs in an environment of its own. Its README leaves open how large rounds are ("thousands per second with
`batch_size=100`"; "publishing, the slow part, runs in parallel"): rounds of a thousand, all of a round's keys at once,
rows deleted when acknowledged, its NOTIFY left out because the rows are there before it starts.
"""

import asyncio
import json
import sys
from importlib.metadata import version
from time import perf_counter
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from txoutbox import Hooks, OutboxMessage, Relay, RelayConfig
from txoutbox.adapters.postgres import PostgresStorage

BATCH_ROWS = 1_000


class Counting(Hooks):
    """Times the rows after the first, which warm up, until all are published and acknowledged in the database."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.warm_up = min(2_000, rows // 2)
        self.count = self.counted = 0
        self.started = self.seconds = 0.0
        self.done = asyncio.Event()

    async def on_round(self, result: Any, duration: float) -> None:  # noqa: ANN401 - as the library calls it
        """Count what a round published."""
        self.count += result.published
        if not self.started and self.count >= self.warm_up:
            self.started, self.counted = perf_counter(), self.rows - self.count
        if self.count >= self.rows:
            self.seconds = perf_counter() - self.started
            self.done.set()


async def run(given: dict[str, Any]) -> dict[str, Any]:
    """Make the table, load the rows, and relay them."""
    pool = await asyncpg.create_pool(given["database_url"])
    storage = PostgresStorage(pool, table="txoutbox_rows", delete_on_ack=True)
    await storage.create_schema()
    loaded = [json.loads(line) for line in open(given["rows"], encoding="utf-8")]  # noqa: ASYNC230, SIM115, PTH123
    await pool.copy_records_to_table(
        storage.table,
        columns=("topic", "key", "payload", "headers"),
        records=[(topic, key, value.encode(), json.dumps(headers)) for topic, key, value, headers in loaded],
    )
    await pool.execute(f"VACUUM ANALYZE {storage.table}")
    producer = AIOKafkaProducer(
        bootstrap_servers=given["bootstrap_servers"], acks="all", enable_idempotence=True, max_batch_size=1_000_000
    )
    await producer.start()

    async def publish(message: OutboxMessage) -> None:
        await producer.send_and_wait(
            message.topic,
            message.payload,
            key=message.key.encode() if message.key else None,
            headers=[(name, value.encode()) for name, value in message.headers.items()],
        )

    hooks = Counting(len(loaded))
    config = RelayConfig(batch_size=BATCH_ROWS, concurrency=BATCH_ROWS)
    async with Relay(storage, publish, config=config, hooks=hooks):
        await hooks.done.wait()
    await producer.stop()
    await pool.close()
    return {"events": len(loaded), "events_per_second": hooks.counted / hooks.seconds, "version": version("txoutbox")}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
