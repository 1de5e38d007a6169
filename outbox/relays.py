"""The relays of a process: one for each shard that it leads, as many as are its share among all processes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from db.database import Database
from db.telling import Spell
from db.waiting import done_before, wait_for
from outbox import shards
from outbox.relay import Relay

logger = logging.getLogger("squad.relay")


async def _alone() -> int:
    return 1


@dataclass(slots=True, kw_only=True)
class _Led:
    """A relay that runs; one that was told to end finishes its page first."""

    relay: Relay
    is_ending: bool = False


class Relays:
    """Leads shards whose leases are free, up to this process's share, and stands by for the others.

    The share is what comes out when all shards are dealt evenly to all processes, rounded up, so that none is left
    over. Whoever has more lets go; whoever has less takes what is free.

    Args:
        database: where the shards are.
        build: gives a relay for a shard, with a lease and a publisher of its own.
        most_shards: how many this process leads at most.
        interval_seconds: between two looks at shards and leases.
        count_processes: gives how many processes relay, this one among them.
        deploy_seconds: how long a half-done deploy is waited for.
    """

    def __init__(
        self,
        *,
        database: Database,
        build: Callable[[int], Relay],
        most_shards: int = 8,
        interval_seconds: float = 3,
        count_processes: Callable[[], Awaitable[int]] = _alone,
        deploy_seconds: float = 60,
    ) -> None:
        self._database = database
        self._build = build
        self._most_shards = most_shards
        self._interval_seconds = interval_seconds
        self._count_processes = count_processes
        self._deploy_seconds = deploy_seconds
        self._led: dict[int, _Led] = {}
        self._stopped = asyncio.Event()
        self.looked_at: float | None = None
        """When shards and leases were looked at last, by `time.monotonic`."""

    @property
    def leading(self) -> list[int]:
        """The shards that this process leads."""
        return sorted(self._led)

    @property
    def epochs(self) -> Mapping[int, int]:
        """The epoch of each lease that is held, by shard."""
        return {shard: epoch for shard, led in self._led.items() if (epoch := led.relay.epoch) is not None}

    def describe(self) -> dict[str, dict[str, dict[str, object]]]:
        """Give by shard what its relay says of topics and partitions that take nothing, where there is any."""
        found = {str(shard): led.relay.describe() for shard, led in sorted(self._led.items())}
        return {shard: troubles for shard, troubles in found.items() if troubles}

    async def run(self) -> None:
        """Lead and stand by until `stop`; what is transient is tried again for as long as it takes.

        Raises:
            ExceptionGroup: of what stops a relay (outbox.relay.Relay).
            UncoveredSlotsError, MissingCursorError: nothing can be relayed here.
            HalfDeployedError: a table, column or right is missing, and did not come in time.
        """
        spell = Spell(logger, "shards not looked at", deploy_seconds=self._deploy_seconds)
        async with asyncio.TaskGroup() as group:
            while not self._stopped.is_set():
                try:
                    if await done_before(self._stopped, self._arrange(group)):
                        spell.end()
                except (SQLAlchemyError, OSError) as error:
                    spell.bear(error)
                await wait_for(self._stopped, self._interval_seconds)
            for led in self._led.values():
                led.relay.stop()

    def stop(self) -> None:
        """Let `run` end after the pages that are under way; may be called again."""
        self._stopped.set()

    async def _arrange(self, group: asyncio.TaskGroup) -> None:
        """Let go of what is beyond the share, then take what is free within it."""
        async with self._database.sessions() as session:
            existing = [each.shard for each in await shards.fetch_shards(session)]
        share = min(self._most_shards, ceil(len(existing) / max(1, await self._count_processes())))
        staying = [shard for shard, led in self._led.items() if not led.is_ending]
        for shard in [*(each for each in staying if each not in existing), *staying[share:]]:
            self._led[shard].is_ending = True
            self._led[shard].relay.stop()
        for shard in existing:
            if len(self._led) >= share:
                break
            if shard not in self._led:
                await self._try(shard, group)
        self.looked_at = monotonic()

    async def _try(self, shard: int, group: asyncio.TaskGroup) -> None:
        relay = self._build(shard)
        if await relay.try_lead():
            self._led[shard] = _Led(relay=relay)
            group.create_task(self._lead(shard, relay))

    async def _lead(self, shard: int, relay: Relay) -> None:
        try:
            await relay.run_while_leading()
        finally:
            del self._led[shard]
