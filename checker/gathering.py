"""Gathers the evidence of a run with clients of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from checker.evidence import Evidence
from checker.history import Attempt
from checker.tables import read_tables
from checker.topics import read_topics
from db.database import Database
from db.tls import DatabaseTls


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a run took place.

    Args:
        database_url: its database, which holds nothing else.
        tls: how that is spoken to.
        kafka: arguments for the Kafka client, such as `bootstrap_servers`.
        group: the consumer group whose checkpoints count.
        commands, events, outcomes, dead_letters: full names of its topics.
        replies: full names of the topics to which outcomes may go besides.
    """

    database_url: str
    tls: DatabaseTls = field(default_factory=DatabaseTls)
    kafka: Mapping[str, Any]
    group: str
    commands: str
    events: str
    outcomes: str
    dead_letters: str
    replies: Sequence[str] = ()


async def gather(
    scene: Scene,
    history: Sequence[Attempt],
    *,
    repeats_allowed: int | None = None,
    healed_at: float | None = None,
    seed: int | None = None,
) -> Evidence:
    """Read everything: first the tables, then the topics.

    Args:
        scene: where the run took place, at rest.
        history: what its producers recorded.
        repeats_allowed: how many records may be repeats by the relay, if that is known.
        healed_at: when its last fault was over, if it had any, seconds since 1970, UTC.
        seed: by which it is repeated.

    Raises:
        checker.topics.UnfinishedReadError: a topic could not be read to its end.
    """
    database = Database(url=scene.database_url, tls=scene.tls, application_name="agent-squad-checker", pool_size=1)
    try:
        tables = await read_tables(database.engine, group=scene.group, commands_topic=scene.commands)
    finally:
        await database.close()
    names = [scene.commands, scene.events, scene.outcomes, scene.dead_letters, *scene.replies]
    topics = await read_topics(scene.kafka, names)
    return Evidence(
        history=history,
        commands=topics[scene.commands],
        events=topics[scene.events],
        outcomes=topics[scene.outcomes],
        dead_letters=topics[scene.dead_letters],
        tables=tables,
        replies=[topics[name] for name in scene.replies],
        repeats_allowed=repeats_allowed,
        healed_at=healed_at,
        seed=seed,
    )
