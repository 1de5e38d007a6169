"""How commands leave, whatever carries them, and what is known where that fails."""

from collections.abc import Sequence
from typing import Protocol


class NotSentError(Exception):
    """The command did not leave, and will not; the message says why."""


class MaybeSentError(Exception):
    """Nobody knows whether the command arrived, or will; the message says why."""


class Sender(Protocol):
    """What carries commands to where consumers read them."""

    async def send(self, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Send a command; when this returns, all replicas have it.

        Raises:
            NotSentError: it did not leave.
            MaybeSentError: it may have.
        """
