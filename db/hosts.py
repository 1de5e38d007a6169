"""Connections to the one of several addresses where the server is that is wanted: tried one after another.

The driver has that too, but one time limit for all addresses: behind one that swallows packets the next is never tried.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg

from db.addresses import ATTRIBUTE
from db.commits import Committing
from db.errors import Failure, UnreachableError, classify


class Hosts:
    """Opens the driver's connections to the first address where the wanted server is, beginning with the last such."""

    def __init__(self) -> None:
        self._found: tuple[str, int] | None = None

    async def connect(
        self,
        *,
        host: str | Sequence[str] | None = None,
        port: int | Sequence[int] | None = None,
        **arguments: Any,  # noqa: ANN401 - the driver's
    ) -> Committing:
        """Open a connection.

        Args:
            host, port: one, or several in pairs; each has the whole of the time limit.
            arguments: of `asyncpg.connect`.

        Raises:
            UnreachableError: none of several addresses has the server that is wanted, or the database takes no
                connections at the moment.
        """
        if not isinstance(host, list) or not isinstance(port, list):
            return await self._open(host, port, arguments)
        addresses = sorted(zip(host, port, strict=True), key=lambda address: address != self._found)
        if arguments.get(ATTRIBUTE) != "prefer-standby":
            return await self._open_first(addresses, arguments)
        try:
            return await self._open_first(addresses, arguments | {ATTRIBUTE: "standby"})
        except UnreachableError:
            return await self._open_first(addresses, arguments | {ATTRIBUTE: "any"})

    async def _open_first(self, addresses: Sequence[tuple[str, int]], arguments: dict[str, Any]) -> Committing:
        why: list[str] = []
        for address in addresses:
            try:
                connection = await self._open(*address, arguments)
            except Exception as error:
                if classify(error) is not Failure.TRANSIENT:
                    raise
                why.append(f"{address[0]}:{address[1]}: {str(error) or type(error).__name__}")
            else:
                self._found = address
                return connection
        raise UnreachableError("no server is as it has to be: " + "; ".join(why))

    async def _open(self, host: object, port: object, arguments: dict[str, Any]) -> Committing:
        try:
            opened: Committing = await asyncpg.connect(host=host, port=port, connection_class=Committing, **arguments)
        except asyncpg.ObjectNotInPrerequisiteStateError as error:
            # ALLOW_CONNECTIONS is off, as during a restore. In a statement this state says something else.
            raise UnreachableError(str(error)) from error
        return opened
