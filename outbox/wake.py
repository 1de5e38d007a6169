"""Waking the relay: a signal inside the process, and PostgreSQL's NOTIFY between processes. Polling goes on beneath."""

import asyncio
import logging
from typing import Any, Final
from weakref import WeakSet

from asyncpg import InterfaceError, InternalClientError, PostgresError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from db.database import Database
from db.telling import Spell
from db.waiting import jittered_seconds, wait_for
from outbox.connection import own_connection

CHANNEL: Final = "outbox"

logger = logging.getLogger("squad.relay")

_NOTIFY: Final = f"NOTIFY {CHANNEL}"
_CHECK: Final = text("SELECT 1")
# The driver's own: a server's last words that come while a statement begins are an error inside it.
_FAILURES: Final = (SQLAlchemyError, PostgresError, InterfaceError, InternalClientError, OSError)


class Wake:
    """A signal that something was committed; any number of them before a look count as one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._followers: WeakSet[Wake] = WeakSet()

    def set(self) -> None:
        """Say that there is something to publish; call it after the commit."""
        self._event.set()
        for each in self._followers:
            each.set()

    def follower(self) -> "Wake":
        """Give a signal that is set with this one, for one of several who wait: whoever waits takes the signal."""
        made = Wake()
        self._followers.add(made)
        return made

    async def wait(self, timeout_seconds: float) -> bool:
        """Wait for the signal, and take it.

        Args:
            timeout_seconds: how long at most.

        Returns:
            Whether it came.
        """
        came = await wait_for(self._event, timeout_seconds)
        if came:
            self._event.clear()
        return came


class Notifier:
    """Tells relays in other processes, on a connection of its own: a NOTIFY inside the writers' transactions would
    make their commits wait for each other.

    Args:
        database: where they listen.
        pause_seconds: after each notification; those asked for meanwhile are one.
    """

    def __init__(self, *, database: Database, pause_seconds: float = 0.005) -> None:
        self._database = database
        self._pause_seconds = pause_seconds
        self._asked = asyncio.Event()
        self._stopped = asyncio.Event()

    def notify(self) -> None:
        """Ask for a notification; call it after the commit. Never waits and never fails."""
        self._asked.set()

    async def run(self) -> None:
        """Send what is asked for until `stop`; relays that miss one find the rows by polling."""
        waits, spell = jittered_seconds(), Spell(logger, "notifying interrupted")
        while not self._stopped.is_set():
            try:
                async with own_connection(self._database) as connection:
                    # By the driver's simple protocol: one round trip, and possible behind a pooler too.
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    while not self._stopped.is_set():
                        await self._asked.wait()
                        self._asked.clear()
                        await driver.execute(_NOTIFY)
                        waits = jittered_seconds()
                        spell.end()
                        await wait_for(self._stopped, self._pause_seconds)
            except _FAILURES as error:
                spell.meet(error)
                await wait_for(self._stopped, next(waits))

    def stop(self) -> None:
        """Let `run` end; may be called again."""
        self._stopped.set()
        self._asked.set()


class Listener:
    """Sets a `Wake` whenever a writer somewhere has notified.

    Args:
        database: where to listen.
        wake: what to set.
        check_seconds: how often the connection is tried, so that a dead one is noticed.
    """

    def __init__(self, *, database: Database, wake: Wake, check_seconds: float = 30) -> None:
        self._database = database
        self._wake = wake
        self._check_seconds = check_seconds
        self._stopped = asyncio.Event()
        self._spell = Spell(logger, "listening interrupted")
        self.listening = asyncio.Event()
        """Set while the server knows that it listens."""

    async def run(self) -> None:
        """Listen until `stop`, reconnecting as often as needed."""
        waits = jittered_seconds()
        while not self._stopped.is_set():
            try:
                await self._listen()
            except _FAILURES as error:
                self._spell.meet(error)
                await wait_for(self._stopped, next(waits))

    def stop(self) -> None:
        """Let `run` end; may be called again."""
        self._stopped.set()

    async def _listen(self) -> None:
        async with own_connection(self._database) as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.add_listener(CHANNEL, self._heard)
            self.listening.set()
            self._spell.end()
            # Whatever was committed while nobody listened.
            self._wake.set()
            try:
                while not self._stopped.is_set():
                    if not await wait_for(self._stopped, self._check_seconds):
                        await connection.execute(_CHECK)
            finally:
                self.listening.clear()

    def _heard(self, *_: object) -> None:
        self._wake.set()
