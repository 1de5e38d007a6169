"""A COMMIT that PostgreSQL acknowledged without having done what it was asked to: an unknown one.

Where a synchronous standby does not answer, a COMMIT waits. A timeout or a cancellation ends the wait, and the server
says with a mere warning that the transaction is committed here and may be nowhere else: after a failover it never was.
"""

from typing import Final

from asyncpg import Connection, TransactionResolutionUnknownError

_WARNING: Final = "01000"
"""The warning's state. Its text is in the server's language; no other warning with this state comes with a COMMIT."""


class UnknownCommitError(TransactionResolutionUnknownError):  # type: ignore[misc] # asyncpg has no types
    """Committed by this server, but perhaps not by its standby. Like a lost connection at COMMIT: nobody knows."""


class Committing(Connection):  # type: ignore[misc] # asyncpg has no types
    """The driver's connection, which takes a COMMIT with such a warning for unknown."""

    _ended_early: str | None = None

    @property
    def address(self) -> object:
        """Where the server is."""
        return self._addr

    async def execute(self, query: str, *arguments: object, timeout: float | None = None) -> str:
        """Run what is asked; the driver commits by this too.

        Raises:
            UnknownCommitError: a COMMIT waited for a standby in vain.
        """
        self._ended_early = None
        status: str = await super().execute(query, *arguments, timeout=timeout)
        if status == "COMMIT" and self._ended_early is not None:
            raise UnknownCommitError(self._ended_early)
        return status

    def _process_log_message(self, fields: dict[str, str], last_query: str) -> None:
        if fields.get("C") == _WARNING:
            self._ended_early = fields.get("M", "")
        super()._process_log_message(fields, last_query)
