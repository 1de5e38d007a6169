"""Sending a plan, and waiting until it was decided."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import text

from app import broker, wiring
from app.demo.report import Report
from app.seeding.plan import Plan
from app.settings import Settings
from db.database import Database
from domain.commands import Command
from messages.codec import encode_command

POLL_SECONDS: Final = 0.2

_OUTCOMES: Final = text(
    "SELECT concat_ws(': ', outcome, CAST(convert_from(outcome_body, 'UTF8') AS jsonb) ->> 'code'), count(*) FROM inbox"
    " WHERE source = :source AND starts_with(command_id, :run) GROUP BY 1"
)
_DECIDED: Final = text("SELECT count(*) FROM inbox WHERE source = :source AND starts_with(command_id, :run)")


class NotDecidedError(Exception):
    """Nobody decides what was sent; the message says how much, and what to look at."""


class Seeding:
    """One run; its commands have ids of their own, so that another run of the same plan is refused by the rules.

    Args:
        settings: of the service.
        source: CloudEvents source of the commands.
        patience_seconds: how long nothing may be decided before it is given up.
        report: shows how many commands were sent and decided.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        source: str,
        patience_seconds: float,
        report: Report,
    ) -> None:
        self._settings = settings
        self._source = source
        self._patience_seconds = patience_seconds
        self._report = report
        self._run = f"{uuid4()}-"
        self._time = datetime.now(UTC)
        self._sent = 0
        self._decided = 0

    async def run(self, plan: Plan) -> dict[str, Any]:
        """Send users, wait until they are decided, send squads with all that is in them, and wait again.

        Returns:
            What was asked for, and the commands by what became of them.

        Raises:
            NotDecidedError: nothing was decided for too long.
        """
        parts = list(plan.users()), list(plan.squads())
        async with broker.open_producer(self._settings) as producer, wiring.open_database(self._settings) as database:
            with self._report.progress(sum(map(len, parts))):
                for part in parts:
                    await self._send(producer, part)
                    await self._until_decided(database)
            outcomes = await self._count_outcomes(database)
        size = plan.size
        asked = {"users": size.users, "squads": size.squads, "tasks": size.tasks, "commands": self._sent}
        return asked | {"outcomes": dict(outcomes)}

    async def _send(self, producer: Any, commands: Iterable[Command]) -> None:  # noqa: ANN401 - the client has no types
        topic = self._settings.topic("commands")
        for command in commands:
            key, value, headers = encode_command(
                command, command_id=f"{self._run}{self._sent}", source=self._source, time=self._time
            )
            await producer.send(topic, value, key=key, headers=headers)
            self._sent += 1
            self._report.sent(self._sent)
        await producer.flush()

    async def _until_decided(self, database: Database) -> None:
        since = monotonic()
        while self._decided < self._sent:
            async with database.sessions() as session:
                decided = await session.scalar(_DECIDED, {"source": self._source, "run": self._run}) or 0
            if decided > self._decided:
                self._decided, since = decided, monotonic()
                self._report.decided(decided)
            elif monotonic() - since > self._patience_seconds:
                raise NotDecidedError(
                    f"{self._sent - self._decided} of {self._sent} commands were not decided, and none for"
                    f" {self._patience_seconds:g} s: does a consumer run (`squad run`), and may {self._source} send?"
                )
            else:
                await asyncio.sleep(POLL_SECONDS)

    async def _count_outcomes(self, database: Database) -> Counter[str]:
        async with database.sessions() as session:
            rows = await session.execute(_OUTCOMES, {"source": self._source, "run": self._run})
            return Counter({row[0]: row[1] for row in rows})
