"""Logging of the long-lived processes: one line each on standard error."""

import logging
from collections.abc import Callable
from time import monotonic

AGAIN_AFTER_SECONDS = 10.0
"""How long the client library says the same thing only once: without a broker it says it seventy times a second."""


class Sparing(logging.Filter):
    """Lets a library's message through once in a while, with how often it was held back.

    Args:
        library: whose messages, by the first part of the logger's name.
        again_after_seconds: how long one that was let through is held back.
        clock: gives seconds that never go back.
    """

    def __init__(
        self, *, library: str, again_after_seconds: float = AGAIN_AFTER_SECONDS, clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__()
        self._library = library
        self._again_after_seconds = again_after_seconds
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is to be shown; what differs only in its arguments is the same."""
        if record.name.partition(".")[0] != self._library:
            return True
        kind, now = (record.name, str(record.msg)), self._clock()
        since, held_back = self._said.get(kind, (float("-inf"), 0))
        if now - since < self._again_after_seconds:
            self._said[kind] = since, held_back + 1
            return False
        if held_back:
            record.msg, record.args = f"{record.getMessage()} (and {held_back} times before)", None
        self._said[kind] = now, 0
        return True


def configure() -> None:
    """Show our own messages from INFO on, the client library's from ERROR on: it warns of what is routine."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Sparing(library="aiokafka"))
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def quiet() -> None:
    """Keep the client libraries silent: what goes wrong is told once, by the command."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)
