"""faststream-outbox relays rows to Kafka: its own table, brokers and decorators, tuned as its documents say.

Runs in an environment of its own, and prints JSON. From its pages "Performance" and "Subscriber": terminal deletes in
batches, more workers and larger fetches, its autovacuum settings, a pool for all workers. Bodies pass undecoded, and
type casting is switched off (FastStream, "Subscription basics"). Workers run beside each other, so unlike the others
here it keeps no order for a key.
"""

import asyncio
import json
import sys
from importlib.metadata import version
from time import perf_counter
from typing import Any

import asyncpg
from faststream.kafka import KafkaBroker, KafkaResponse
from faststream_outbox import OutboxBroker, make_outbox_table
from faststream_outbox.annotations import OutboxMessage
from faststream_outbox.autovacuum import outbox_autovacuum_ddl
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine

TABLE = "faststream_outbox_rows"
WORKERS = 16
FETCH_ROWS = 500
FLUSH_ROWS = 100


class Counting:
    """Times the rows after the first, which warm up, until all are published and deleted.

    The clock starts by what the handler got, not by what was deleted: workers keep many rows for one delete.
    """

    def __init__(self, rows: int) -> None:
        self.left = rows
        self.counted = rows
        self.warm_up = min(2_000, rows // 2)
        self.started = self.seconds = 0.0
        self.done = asyncio.Event()

    def handle(self) -> None:
        """Count a row that the handler got."""
        if not self.started:
            self.counted -= 1
            self.warm_up -= 1
            if self.warm_up <= 0:
                self.started = perf_counter()

    def __call__(self, event: str, tags: Any) -> None:  # noqa: ANN401 - as the library calls it
        """Count a row that is done."""
        self.left -= event == "acked"
        if self.left == 0:
            self.seconds = perf_counter() - self.started
            self.done.set()


async def undecoded(message: Any) -> bytes:  # noqa: ANN401 - as the library calls it
    """Leave a body as it is."""
    body: bytes = message.body
    return body


async def load(url: str, path: str) -> list[str]:
    """Copy the rows into the table; give their topics, which are the queues."""
    loaded = [json.loads(line) for line in open(path, encoding="utf-8")]  # noqa: ASYNC230, SIM115, PTH123
    connection = await asyncpg.connect(url)
    await connection.copy_records_to_table(
        TABLE,
        columns=("queue", "payload", "headers"),
        records=[
            (topic, value.encode(), json.dumps({**headers, "key": key} if key else headers))
            for topic, key, value, headers in loaded
        ],
    )
    await connection.execute(f"VACUUM ANALYZE {TABLE}")
    await connection.close()
    return [topic for topic, *_ in loaded]


async def run(given: dict[str, Any]) -> dict[str, Any]:
    """Make the table, load the rows, and relay them."""
    metadata = MetaData()
    table = make_outbox_table(metadata, table_name=TABLE)
    url = given["database_url"].replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url, pool_size=4 * (WORKERS + 1))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(text(outbox_autovacuum_ddl(TABLE)))
    topics = await load(given["database_url"], given["rows"])
    counting = Counting(len(topics))
    outbox = OutboxBroker(engine, outbox_table=table, metrics_recorder=counting, logger=None, serializer=None)
    kafka = KafkaBroker(given["bootstrap_servers"], acks="all", enable_idempotence=True, logger=None, serializer=None)

    async def relay(body: bytes, message: OutboxMessage) -> KafkaResponse:
        counting.handle()
        headers = dict(message.headers)
        key = headers.pop("key", None)
        return KafkaResponse(body, headers=headers, key=key.encode() if key else None)

    for topic in sorted(set(topics)):
        subscriber = outbox.subscriber(
            topic,
            max_workers=WORKERS,
            fetch_batch_size=FETCH_ROWS,
            terminal_flush_batch_size=FLUSH_ROWS,
            decoder=undecoded,
        )
        kafka.publisher(topic)(subscriber(relay))
    await kafka.connect()
    await outbox.start()
    await counting.done.wait()
    await outbox.stop()
    await kafka.stop()
    await engine.dispose()
    return {
        "events": len(topics),
        "events_per_second": counting.counted / counting.seconds,
        "version": version("faststream-outbox"),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
