"""Two candidates for one lease that die, fall asleep, lose their connections and change the size of their pages."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from db.database import Database
from db.errors import Failure, classify
from db.waiting import wait_for
from outbox.errors import LeaseLostError
from outbox.lease import Lease, relay_lease
from outbox.publisher import KafkaPublisher
from outbox.refused import Refused
from outbox.relay import Relay
from outbox.wire import Record
from tests.relaying import DisturbedError, execute

PAGE_ROWS = (1, 3, 40, 2000)
LARGE = 40
NAME = "contending-relay"


@dataclass(slots=True, kw_only=True)
class FragilePublisher:
    """Publishes to Kafka, now and then breaks off before or after that, and now and then sleeps before it.

    Args:
        kafka: where the records go.
        chance: of all that.
        sleep_seconds: longer than the lease lasts.
        candidate: whose it is.
        page_rows: how large that one's pages are.
        done: counts what happened.
    """

    kafka: KafkaPublisher
    chance: random.Random
    sleep_seconds: float
    candidate: int
    page_rows: int
    done: Counter[str]
    rows: int = 0
    is_doomed: bool = False

    async def publish(self, records: Sequence[Record], *, once: bool = False) -> Sequence[Refused]:
        """Publish, or break."""
        self.rows = len(records)
        if self.is_doomed:
            # It was read ahead before the connection was killed, and its cursor cannot be stored.
            self.is_doomed = False
            self.cut("published without a connection")
        if self._happens("broke before publishing"):
            self.done["broke before publishing"] += 1
            raise DisturbedError
        if self._happens("lost the lease"):
            self.done["slept before publishing"] += 1
            # Stands still like a process that was paused: nothing wakes it, and its lease runs out by the clock.
            await asyncio.sleep(self.sleep_seconds)
        refused = await self.kafka.publish(records, once=once)
        self._note(len(records))
        if self._happens("broke after publishing"):
            self.cut("broke after publishing")
            raise DisturbedError
        return refused

    def _happens(self, what: str) -> bool:
        """Draw whether something happens now: soon for the first time, and seldom later."""
        return self.chance.random() < (0.02 if self.done[what] else 0.1)

    def _note(self, rows: int) -> None:
        self.done["rows given"] += rows
        if rows:
            self.done[f"published by candidate {self.candidate}"] += 1
            self.done[f"pages of {self.page_rows}"] += 1
        if self.page_rows >= rows > LARGE:
            self.done[f"pages of {self.page_rows}, with more than {LARGE}"] += 1

    def cut(self, how: str) -> None:
        """Note that the relay was cut off, so that its last page may be on the topic once more."""
        self.done[how] += 1
        self.done["repeatable"] += self.rows
        self.rows = 0

    async def close(self) -> None:
        await self.kafka.close()


@dataclass(slots=True, kw_only=True)
class ContendingRelays:
    """Two candidates for the lease of shard 0, each one relay after another, with pages of another size each time.

    Some run by themselves until they are stopped, or cancelled at any point. The others are stepped, forget their
    cursor at random and read it again from its table, and let their lease expire in their sleep.

    Args:
        database: where the outbox is; its connections are killed now and then.
        administrator: the same, with connections that are not.
        bootstrap_servers: the brokers.
        seed: of their chances.
    """

    database: Database
    administrator: Database
    bootstrap_servers: str
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    _publishers: list[FragilePublisher] = field(default_factory=list)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Relay until `stop`."""
        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(self._stand(random.Random(self.seed * 1000 + 500 + number), number))
            group.create_task(self._kill_connections(random.Random(self.seed * 1000 + 600)))

    def stop(self) -> None:
        """Let them end."""
        self._stopped.set()

    async def _stand(self, chance: random.Random, number: int) -> None:
        while not self._stopped.is_set():
            kafka = KafkaPublisher(
                client={"bootstrap_servers": self.bootstrap_servers}, backoff_first_seconds=0.01, batch_bytes=100_000
            )
            publisher = FragilePublisher(
                kafka=kafka,
                chance=chance,
                sleep_seconds=1.2,
                candidate=number,
                page_rows=self._draw_size(chance),
                done=self.done,
            )
            self._publishers.append(publisher)
            try:
                await (self._let_run if chance.random() < 0.5 else self._step)(publisher, chance)
            finally:
                self._publishers.remove(publisher)
                await publisher.close()

    def _draw_size(self, chance: random.Random) -> int:
        """Draw among those that hardly came to publish as yet: many a relay ends before it leads."""
        few = [rows for rows in PAGE_ROWS if self.done[f"pages of {rows}"] < 2]
        return chance.choice(few or PAGE_ROWS)

    def _build(self, publisher: FragilePublisher, chance: random.Random, *, ttl_seconds: float) -> tuple[Relay, Lease]:
        lease = Lease(
            database=self.database, name=relay_lease(0), ttl_seconds=ttl_seconds, renew_seconds=ttl_seconds / 10
        )
        relay = Relay(
            database=self.database,
            publisher=publisher,
            lease=lease,
            page_rows=publisher.page_rows,
            # Nothing but rows ends the largest.
            page_bytes=2**24 if publisher.page_rows == max(PAGE_ROWS) else chance.choice((2000, 2**24)),
            backoff_first_seconds=0.001,
            backoff_most_seconds=0.05,
        )
        return relay, lease

    async def _let_run(self, publisher: FragilePublisher, chance: random.Random) -> None:
        """Let a relay run for a moment, then stop it or cancel it wherever it is."""
        relay, _ = self._build(publisher, chance, ttl_seconds=30)
        running = asyncio.create_task(relay.run())
        await asyncio.wait([running], timeout=chance.uniform(0.4, 1.2))
        if chance.random() < 0.5:
            relay.stop()
        else:
            running.cancel()
            publisher.cut("cancelled")
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()

    async def _step(self, publisher: FragilePublisher, chance: random.Random) -> None:
        """Step a relay for a while; its lease is too short for its sleep."""
        relay, lease = self._build(publisher, chance, ttl_seconds=1)
        has_forgotten = False
        try:
            for _ in range(chance.randint(5, 60)):
                try:
                    if not lease.is_held and not await relay.try_lead():
                        # A standby asks again after a while; that the other's lease runs out tells nobody.
                        await asyncio.sleep(0.02)
                        continue
                    await relay.relay_batch()
                    self.done["cursor read again"] += has_forgotten
                    has_forgotten = False
                except LeaseLostError:
                    publisher.cut("lost the lease")
                except DisturbedError:
                    publisher.cut("disturbed")
                except (SQLAlchemyError, OSError) as error:
                    if classify(error) is not Failure.TRANSIENT:
                        raise
                    publisher.cut("lost the connection")
                if chance.random() < 0.1:
                    await relay.close()
                    has_forgotten = True
        finally:
            await relay.close()

    async def _kill_connections(self, chance: random.Random) -> None:
        # The pause is the race: it ends at any point of a page.
        while not await wait_for(self._stopped, chance.uniform(1.5, 4)):
            for publisher in self._publishers:
                publisher.cut("connections killed")
                publisher.is_doomed = True
            await execute(
                self.administrator,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                f" AND application_name = '{NAME}' AND pid <> pg_backend_pid()",
            )
            for publisher in self._publishers:
                publisher.cut("connections killed")
                publisher.is_doomed = True
