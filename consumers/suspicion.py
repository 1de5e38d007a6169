"""When a batch's own records are blamed for failures that others may have caused as well.

A statement that takes too long and too little memory may be due to the records, once they come again and again while
the database answers otherwise. A lost connection says less: a network, too, cuts connections without a word, and as
often as it likes. Of a crash the server knows, because its statistics begin anew with the recovery (PostgreSQL
documentation, 27.2), so only losses that a crash went with count.
"""

from datetime import datetime

from db.errors import is_lost_connection, may_be_of_records


class Suspicion:
    """Counts the failures in a row that one batch may have caused.

    Args:
        attempts: at how many of them the records are blamed.
    """

    def __init__(self, *, attempts: int) -> None:
        self._attempts = attempts
        self._count = 0
        self._statistics_since: datetime | None = None
        self._is_lost_connection = False

    def meet(self, error: Exception) -> bool:
        """Take note of a failure.

        Returns:
            Whether the database is to be heard before the next attempt.
        """
        self._is_lost_connection = is_lost_connection(error)
        if not may_be_of_records(error):
            self._count = 0
            return False
        return True

    def hear(self, statistics_since: datetime | None) -> None:
        """Take the database's answer after a failure.

        Args:
            statistics_since: since when the server counts what it does, which a crash changes; none: nobody knows.
        """
        before, self._statistics_since = self._statistics_since, statistics_since
        if not self._is_lost_connection:
            self._count += 1
        elif before is not None and statistics_since is not None:
            self._count = self._count + 1 if statistics_since != before else 0

    @property
    def blames(self) -> bool:
        """Whether it is the records, as far as can be known."""
        return self._count >= self._attempts
