"""Whether a process is ready: what of its parts is not well, and why."""

from collections.abc import Callable, Iterator, Mapping
from time import monotonic

from app.monitoring.readings import Reading

Wellness = Callable[[], str | None]
"""Says what is not well with a part; `None`: all is."""


def silent(what: str, last_at: float | None, within_seconds: float) -> str | None:
    """Say that something has not answered lately.

    Args:
        what: what is said of it.
        last_at: when it did last, by `time.monotonic`; `None`: never.
        within_seconds: how long that may be ago.
    """
    if last_at is None:
        return f"{what}: never yet"
    ago = monotonic() - last_at
    return f"{what}: {ago:.0f} s ago" if ago > within_seconds else None


def examine(parts: Mapping[str, Wellness]) -> dict[str, str | None]:
    """Say of each part what is not well."""
    return {name: why() for name, why in parts.items()}


def read_readiness(parts: Mapping[str, Wellness]) -> Iterator[Reading]:
    """Give which parts are well."""
    for name, why in examine(parts).items():
        yield Reading("squad_ready", why is None, (name,))
