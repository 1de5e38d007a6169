"""How far consumers and relays are: checkpoints against the logs, and who describes itself."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.doctor.finding import Finding, failed, passed, warned
from app.doctor.server import CLOCK_SKEW
from app.settings import Settings
from app.topic_facts import LogRange

STALE_SECONDS: Final = 15.0
"""As old as `squad health` takes a heartbeat by default."""

_STOPPED: Final = 'docs/operations.md has "A partition is stopped"'

_START_RELAY: Final = "nothing is published: start a relay"

_CHECKPOINTS: Final = text(
    "SELECT partition, next_offset FROM checkpoints WHERE consumer_group = :consumer_group AND topic = :topic"
)

_PROCESSES: Final = text(
    """
    SELECT kind, host, pid, CAST(extract(epoch FROM now() - heartbeat_at) AS float) AS age_seconds, state
    FROM processes ORDER BY kind, host, pid
    """
)

_LEASES: Final = text(
    """
    SELECT shard, holder, CAST(extract(epoch FROM now() - expires_at) AS float) AS over_seconds
    FROM relay_cursors LEFT JOIN leases ON name = 'relay-' || shard ORDER BY shard
    """
)

_HELD: Final = text(
    """
    SELECT count(*) - count(awaits) AS rows, count(DISTINCT (topic, key)) FILTER (WHERE awaits IS NULL) AS keys,
           count(awaits) AS waiting, string_agg(DISTINCT awaits, ', ') AS awaited
    FROM held
    """
)


async def load_checkpoints(connection: AsyncConnection, settings: Settings) -> dict[int, int]:
    """Give the group's next offset by partition of the commands."""
    place = {"consumer_group": settings.consumer_group, "topic": settings.topic("commands")}
    return {row.partition: row.next_offset for row in await connection.execute(_CHECKPOINTS, place)}


def check_checkpoints(checkpoints: Mapping[int, int], logs: Mapping[int, LogRange]) -> Iterator[Finding]:
    """Judge each checkpoint by its log, and whether each partition has one.

    Args:
        checkpoints: next offset by partition.
        logs: of the commands, by partition.
    """
    if not checkpoints:
        yield passed("checkpoints", "none yet: the group has not begun")
        return
    for partition, offset in sorted(checkpoints.items()):
        log = logs.get(partition)
        name = f"checkpoint {partition}"
        if log is None:
            found = f"at {offset}, but the topic has {len(logs)} partitions"
            yield failed(name, found, 'the topic was made again: docs/operations.md, "A partition is stopped"')
        elif offset < log.start:
            gone = log.start - offset
            found = f"at {offset}, but the log starts at {log.start}: {gone} records are gone unread"
            yield failed(name, found, 'its partition stops: docs/operations.md, "A partition is stopped"')
        elif offset > log.end:
            found = f"at {offset}, but the log ends at {log.end}"
            yield failed(name, found, 'the topic was cut or made again: docs/operations.md, "A partition is stopped"')
        else:
            yield passed(name, f"at {offset} of {log.end}, {log.end - offset} behind")
    added = sorted(logs.keys() - checkpoints.keys())
    if added:
        yield warned(
            "partitions-added",
            f"partitions {', '.join(map(str, added))} have no checkpoint, though others have",
            "if they were added: keys under way changed their partition, and their order is not kept; let producers"
            " wait until everything is consumed. Else: no consumer has read them yet",
        )


def check_stamps(topic: str, logs: Mapping[int, LogRange]) -> Finding:
    """Judge the brokers' clocks by what they stamped: that one is behind cannot be seen from records."""
    late = [str(partition) for partition, log in sorted(logs.items()) if log.stamped_late]
    if late:
        return failed(
            "kafka-clock",
            f"{topic} has records from the future, in partitions {', '.join(late)}",
            "let brokers and machines take their time from the same source (NTP)",
        )
    return passed("kafka-clock", f"no record of {topic} is from the future")


def latest_stamp() -> datetime:
    """Give the moment after which a stamp is from the future."""
    return datetime.now(UTC) + CLOCK_SKEW


async def check_processes(connection: AsyncConnection) -> AsyncIterator[Finding]:
    """Judge who describes itself, and who has the lease."""
    rows = [dict(row._mapping) for row in await connection.execute(_PROCESSES)]
    alive = [row for row in rows if row["age_seconds"] <= STALE_SECONDS]
    for kind in ("consumer", "relay"):
        yield _check_kind(kind, rows, alive)
    stopped = [f"{name}: {why}" for row in alive for name, why in (row["state"].get("stopped") or {}).items()]
    if stopped:
        yield failed("stopped-partitions", "; ".join(stopped), 'docs/operations.md, "A partition is stopped"')
    else:
        yield passed("stopped-partitions", "none")
    for row in await connection.execute(_LEASES):
        name = f"lease of shard {row.shard}"
        if row.holder is None:
            yield warned(name, "nobody ever had it", _START_RELAY)
        elif row.over_seconds > 0:
            yield warned(name, f"nobody has it for {row.over_seconds:.0f} s; last {row.holder}", _START_RELAY)
        else:
            yield passed(name, f"held by {row.holder}")
    held = (await connection.execute(_HELD)).one()
    if held.rows:
        found = f"{held.rows} rows of {held.keys} keys wait, because Kafka refused one of each key"
        yield warned("holds", found, "`squad holds list` shows them")
    else:
        yield passed("holds", "none")
    if held.waiting:
        found = f"{held.waiting} rows wait for {held.awaited}, which took nothing when the relay tried last"
        yield failed("waiting-rows", found, 'docs/operations.md, "A topic takes nothing"')
    else:
        yield passed("waiting-rows", "none")


def _check_kind(kind: str, rows: list[dict[str, Any]], alive: list[dict[str, Any]]) -> Finding:
    name = f"{kind}s"
    ours = [row for row in rows if row["kind"] in (kind, "all")]
    silent = [f"{row['host']} pid {row['pid']}, {row['age_seconds']:.0f} s" for row in ours if row not in alive]
    living = [f"{row['host']} pid {row['pid']}" for row in ours if row in alive]
    if not living:
        found = f"none runs; silent: {'; '.join(silent)}" if silent else "none runs"
        return warned(name, found, f"start one: `squad {'consume' if kind == 'consumer' else 'relay run'}`")
    if silent:
        advice = "it died without a goodbye, or cannot reach the database; its row goes after an hour"
        return warned(name, f"silent: {'; '.join(silent)}", advice)
    return passed(name, "; ".join(living))
