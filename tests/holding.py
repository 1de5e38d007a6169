"""What the tests of held rows share: publishers that refuse, what they were given, and what is held."""

from db.database import Database
from outbox.wire import Record
from tests.relaying import TOPIC, RecordingPublisher, fetch_rows


def number(record: Record) -> int:
    return int(dict(record.headers())["ce_sequence"] or b"")


def numbers(publisher: RecordingPublisher, key: str | None, topic: str = TOPIC) -> list[int]:
    wanted = (topic, None if key is None else key.encode())
    return [number(each) for each in publisher.records if (each.topic, each.key) == wanted]


def refusing(*refused: int, key: bytes | None = b"a", topic: str = TOPIC) -> RecordingPublisher:
    return RecordingPublisher(
        refuse=lambda record: (record.topic, record.key) == (topic, key) and number(record) in refused
    )


async def held(database: Database) -> list[tuple[bytes | None, str]]:
    rows = await fetch_rows(database, "SELECT key, reason FROM held ORDER BY position")
    return [(row.key, row.reason.split(" ")[0]) for row in rows]


async def position_of(database: Database, key: str, sequence: int) -> int:
    (row,) = await fetch_rows(
        database, f"SELECT position FROM outbox WHERE key = '{key}'::bytea AND sequence = {sequence}"
    )
    return int(row.position)
