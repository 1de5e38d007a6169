"""Processes that stop, are replaced, and wake with what they had in their hands: it changes nothing any more."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.acceptance.conftest import eventually
from tests.faults.actors import Actor
from tests.faults.conftest import Scenarios
from tests.faults.going_on import PATIENCE_SECONDS, goes_on
from tests.faults.rules import Hold, Rule, Rules
from tests.faults.scenario import Scenario
from tests.faults.spans import BATCH, PAGE, Moment, Moments
from tests.faults.wires import Wire, wired
from tests.relaying import execute, fetch_rows

SETTINGS = {
    "relay_page_max_rows": 10,
    "lanes": 1,
    "idle_in_transaction_timeout_seconds": 2.0,
    "statement_timeout_seconds": 5.0,
    "transaction_timeout_seconds": 5.0,
}
"""With one lane a consumer has one transaction; if it is stopped, its locks are free after 2 s, or 5 s where it stopped
between preparing a statement and running it."""

LONG_IN_TRANSACTION = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state = 'idle in transaction' AND state_change < clock_timestamp() - interval '0.5 s'"
)

WATCH_CURSORS = (
    "CREATE TABLE cursor_writes (epoch bigint, backend integer)",
    """
    CREATE FUNCTION note_cursor_write() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO cursor_writes VALUES (NEW.epoch, pg_backend_pid()); RETURN NULL; END $$
    """,
    "CREATE TRIGGER watched AFTER UPDATE ON relay_cursors FOR EACH ROW EXECUTE FUNCTION note_cursor_write()",
)

WRITTEN_BY_OTHERS = "SELECT epoch FROM cursor_writes GROUP BY epoch HAVING count(DISTINCT backend) > 1"
"""A relay opens one connection in an epoch; what a zombie stores, it stores in the epoch of its heir."""


@pytest.mark.real_kafka("groups of several consumers")
@pytest.mark.parametrize("seed", [31, *(pytest.param(each, marks=pytest.mark.long_faults) for each in (32, 33))])
async def test_stopped_consumers_and_relays_change_nothing_when_they_wake(scenario: Scenarios, seed: int) -> None:
    async with scenario(seed=seed) as run:
        run.settings = run.settings.model_copy(update=SETTINGS)
        async with wired(run, "consumer") as consumer, wired(run, "relay") as relays:
            await run_with_zombies(run, consumer, relays)


async def run_with_zombies(run: Scenario, consumer: Wire, relays: Wire) -> None:
    in_batch = Moment(statement="INSERT INTO outbox", direction="answer", kind="CommandComplete", action=Hold())
    in_page = Moment(statement="position, topic, key", direction="answer", kind="CommandComplete", action=Hold())
    in_storing = Moment(statement="SET previous = CAST", direction="request", kind="Bind", action=Hold())
    batch, pages = Moments(BATCH, [in_batch]), [Moments(PAGE, [in_page]), Moments(PAGE, [in_storing])]
    consumer.postgres.add(batch)
    relays.postgres.add(*pages)
    for statement in WATCH_CURSORS:
        await execute(run.database, statement)
    zombie = await run.start("consumer-1", settings=consumer.settings)
    await run.start("relay-1", settings=relays.settings)
    await run.register_users()
    await run.start("consumer-2")
    await run.start("relay-2", settings=relays.settings)
    async with run.load(rate=60), asyncio.TaskGroup() as tasks:
        tasks.create_task(stop_consumer(run, zombie, batch))
        tasks.create_task(stop_relays(run, relays, pages))
    await run.conclude()
    assert not await fetch_rows(run.database, WRITTEN_BY_OTHERS)
    assert len(await fetch_rows(run.database, "SELECT DISTINCT epoch FROM cursor_writes")) > 2


async def stop_consumer(run: Scenario, zombie: Actor, batch: Moments) -> None:
    """First in the middle of a transaction, whose locks its heir needs; then anywhere."""
    batch.is_armed = True
    async with asyncio.timeout(PATIENCE_SECONDS):
        await batch.happened.wait()
    async with stopped(run, zombie, batch):
        await eventually("it keeps its locks", lambda: is_long_in_transaction(run))
        await goes_on(run, "consuming", after="a consumer was stopped in a transaction")
        assert not await is_long_in_transaction(run)
    await goes_on(run, "consuming", after="it woke")
    await run.pause(0.2, 0.6)
    async with stopped(run, zombie):
        await goes_on(run, "consuming", after="a consumer was stopped")
    await goes_on(run, "consuming", after="it woke")
    assert zombie.lives


async def is_long_in_transaction(run: Scenario) -> bool:
    async with run.database.sessions() as session:
        return bool(await session.scalar(LONG_IN_TRANSACTION))


async def stop_relays(run: Scenario, relays: Wire, pages: Sequence[Moments]) -> None:
    """With a page that it has read, with its cursor on the way, and with a page that arrives behind newer ones."""
    for page in pages:
        page.is_armed = True
        await stop_leader(run, page)
    sending = Rule(
        when=lambda message: (message.kind, message.direction) == ("Produce", "request"), action=Hold(), why="a page's"
    )
    relays.kafka[0].add(sending)
    await stop_leader(run, sending)


async def stop_leader(run: Scenario, rule: Rules) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await rule.happened.wait()
    leader = await find_leader(run)
    async with stopped(run, leader, rule):
        await goes_on(run, "relaying", after="the leader was stopped")
        assert await find_leader(run) is not leader
        known = leader.printed
    await eventually("it notices", lambda: has_noticed(leader, known))
    await goes_on(run, "relaying", after="it woke")


async def find_leader(run: Scenario) -> Actor:
    holder = (await run.look()).leases["relay-0"]
    [leader] = [actor for actor in run.actors if f":{actor.pid}:" in holder]
    return leader


async def has_noticed(leader: Actor, known: str) -> bool:
    news = leader.printed[len(known) :]
    return "relay follows" in news or "relay interrupted" in news


@asynccontextmanager
async def stopped(run: Scenario, actor: Actor, holding: Rules | None = None) -> AsyncIterator[None]:
    """Stop a process in the block; it wakes with what was held for it."""
    actor.send(signal.SIGSTOP)
    await eventually("it stands still", lambda: stands_still(actor))
    what = actor.role.name.partition("-")[0]
    where = holding.why if holding else "anywhere"
    run.journal.note(f"{what} stopped", breaks=int(actor.role.relays), process=actor.role.name, where=where)
    yield
    if holding is not None:
        assert isinstance(holding.action, Hold)
        holding.action.go_on.set()
    actor.send(signal.SIGCONT)


async def stands_still(actor: Actor) -> bool:
    """Whether the kernel says so (proc(5), "state")."""
    stat = Path(f"/proc/{actor.pid}/stat").read_text()  # noqa: ASYNC240 - of the kernel, not of a disk
    return stat.rpartition(")")[2].split()[0] == "T"
