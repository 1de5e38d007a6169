"""The right to be the active relay of a shard: a row with a time to live, judged by the database's clock."""

import asyncio
import os
import socket
import time
from typing import Final
from uuid import uuid4

from sqlalchemy import BigInteger, Float, bindparam, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database
from outbox.errors import LeaseLostError

_TTL: Final = "clock_timestamp() + make_interval(secs => :ttl_seconds)"

# Taking it again, even by the same holder, starts a new epoch: what the holder's lost connection still does is fenced.
_ACQUIRE: Final = text(
    f"""
    INSERT INTO leases (name, holder, epoch, expires_at)
    VALUES (:name, :holder, 1, {_TTL})
    ON CONFLICT (name) DO UPDATE
    SET holder = excluded.holder, epoch = leases.epoch + 1, expires_at = {_TTL}
    WHERE leases.expires_at <= clock_timestamp() OR leases.holder = excluded.holder
    RETURNING epoch
    """  # noqa: S608 - constants only
).bindparams(bindparam("ttl_seconds", type_=Float))

_RENEW: Final = text(
    f"""
    UPDATE leases SET expires_at = {_TTL}
    WHERE name = :name AND holder = :holder AND epoch = :epoch
    """  # noqa: S608 - constants only
).bindparams(bindparam("ttl_seconds", type_=Float), bindparam("epoch", type_=BigInteger))

_RELEASE: Final = text(
    """
    UPDATE leases SET expires_at = clock_timestamp()
    WHERE name = :name AND holder = :holder AND epoch = :epoch
    """
).bindparams(bindparam("epoch", type_=BigInteger))


def relay_lease(shard: int) -> str:
    """Give the name of the lease of a shard's relay."""
    return f"relay-{shard}"


class Lease:
    """One candidate's view of a lease.

    Args:
        database: where the lease is.
        name: which lease, such as `relay-0`.
        holder: who asks; unique among all candidates, by default of this object.
        ttl_seconds: after how long without renewal another may take it.
        renew_seconds: how often `hold` renews; a standby asks as often.
    """

    def __init__(
        self,
        *,
        database: Database,
        name: str,
        holder: str | None = None,
        ttl_seconds: float = 10,
        renew_seconds: float = 3,
    ) -> None:
        self.name = name
        self.holder = holder or f"{socket.gethostname()}:{os.getpid()}:{uuid4()}"
        self.renew_seconds = renew_seconds
        self._database = database
        self._ttl_seconds = ttl_seconds
        self._epoch: int | None = None
        self._held_until = 0.0

    @property
    def epoch(self) -> int:
        """The epoch in which it is held.

        Raises:
            LeaseLostError: it is not held, or its time may be over; so no connection is needed to notice.
        """
        if self._epoch is None or time.monotonic() >= self._held_until:
            raise LeaseLostError(self.name, self._epoch or 0)
        return self._epoch

    @property
    def is_held(self) -> bool:
        """Whether its time is certainly not over."""
        return self._epoch is not None and time.monotonic() < self._held_until

    async def acquire_once(self) -> bool:
        """Take the lease if nobody has it.

        Returns:
            Whether it is held now, in a new epoch.
        """
        asked_at = time.monotonic()
        async with self._connection() as connection:
            place = {"name": self.name, "holder": self.holder, "ttl_seconds": self._ttl_seconds}
            self._epoch = await connection.scalar(_ACQUIRE, place)
        self._held_until = asked_at + self._ttl_seconds
        return self._epoch is not None

    async def renew_once(self) -> None:
        """Prolong it.

        Raises:
            LeaseLostError: another has it.
        """
        asked_at = time.monotonic()
        async with self._connection() as connection:
            result = await connection.execute(_RENEW, self._place() | {"ttl_seconds": self._ttl_seconds})
        if result.rowcount != 1:
            lost, self._epoch = self._epoch or 0, None
            raise LeaseLostError(self.name, lost)
        self._held_until = asked_at + self._ttl_seconds

    async def hold(self) -> None:
        """Renew until it is lost; a database that cannot be reached for a time to live counts as that.

        Raises:
            LeaseLostError: sooner or later, unless cancelled.
        """
        while True:
            await asyncio.sleep(self.renew_seconds)
            try:
                async with asyncio.timeout(max(0.0, self._held_until - time.monotonic())):
                    await self.renew_once()
            except (OSError, TimeoutError, SQLAlchemyError):
                if not self.is_held:
                    raise LeaseLostError(self.name, self._epoch or 0) from None

    async def release(self) -> None:
        """Let another take it at once; does nothing when it is not held."""
        if self._epoch is None:
            return
        async with self._connection() as connection:
            await connection.execute(_RELEASE, self._place())
        self._epoch = None

    def _place(self) -> dict[str, object]:
        return {"name": self.name, "holder": self.holder, "epoch": self._epoch}

    def _connection(self) -> AsyncConnection:
        return self._database.engine.execution_options(isolation_level="AUTOCOMMIT").connect()
