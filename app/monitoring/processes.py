"""What is read of a process as a whole."""

from collections.abc import Iterator
from time import monotonic

from app.monitoring.readings import Reading


def read_process(kind: str, started_at: float) -> Iterator[Reading]:
    """Which kind of process this is, and since when it runs.

    Args:
        kind: consumer, relay or all.
        started_at: in seconds since 1970, UTC.
    """
    yield Reading("squad_process_info", 1, (kind,))
    yield Reading("squad_process_start_time_seconds", started_at)


def read_answer(answered_at: float | None) -> Iterator[Reading]:
    """Since when the database has not answered.

    Args:
        answered_at: when it took the last heartbeat, by `time.monotonic`; `None`: never.
    """
    if answered_at is not None:
        yield Reading("squad_database_answer_age_seconds", monotonic() - answered_at)
