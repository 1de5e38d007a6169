"""One log line when something begins to fail and one when it is over; how often it is tried between is no news."""

import logging
from time import monotonic

from db.describing import describe
from db.errors import UnreachableError


class Spell:
    """A stretch of time in which something fails, however often it is tried.

    Args:
        logger: who is told.
        what: what is told, such as `pruning postponed`.
    """

    def __init__(self, logger: logging.Logger, what: str) -> None:
        self._logger = logger
        self._what = what
        self._since: float | None = None

    def meet(self, error: BaseException) -> bool:
        """Note that it failed; give whether that is news."""
        is_news = self._since is None
        level = logging.WARNING if is_news else logging.DEBUG
        # Nobody has had any values yet then, and it says which address it was.
        said = repr(error) if isinstance(error, UnreachableError) else describe(error)
        self._logger.log(level, "%s, trying for as long as it takes: %s", self._what, said)
        if self._since is None:
            self._since = monotonic()
        return is_news

    def end(self) -> None:
        """Note that it goes well."""
        if self._since is not None:
            self._logger.info("%s: over after %.1f s", self._what, monotonic() - self._since)
            self._since = None
