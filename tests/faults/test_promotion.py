"""A standby promoted under load: synchronous, nothing is lost; asynchronous, the loss is said and decided again."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import make_url

import stack as stacks
from app.settings import Settings
from checker.case import EVENT_ID
from checker.evidence import Evidence
from checker.faults import Invariant
from stack.local_stack import LocalStack
from stack.starting import ExternalStack
from tests.faults.actors import Nursery
from tests.faults.scenario import Scenario, open_scenario
from tests.faults.servers import own_ground, start_own
from tests.faults.standby import Address, administer, follow

pytestmark = [
    pytest.mark.real_kafka("groups of several consumers"),
    pytest.mark.long_faults,
    pytest.mark.timeout(300),
]

TIMELINE = "the server is on timeline 2, the cursor of shard 0 was written on 1"
TOLD_AGAIN = {Invariant.REPEATED_ALIKE, Invariant.REPEATED_LITTLE}
"""What is not promised where commits were lost that were published already: they are decided and published again."""
FSYNC_OFF = {"fsync": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A primary with its standby, and the address at which clients find whichever leads, if they do not have both."""

    primary: LocalStack
    standby: LocalStack
    address: Address | None

    async def promote(self, run: Scenario) -> None:
        """Kill the primary, and let the standby take over."""
        progress, pid = await run.glance(), self.primary.pids["postgres"]
        await asyncio.to_thread(self.primary.kill_postgres)
        assert await administer(self.standby.database_url, "SELECT pg_promote(true, 30)") is True
        if self.address is not None:
            await self.address.lead_to(self.standby.database_url)
        run.journal.note("standby promoted", breaks=1, primary_pid=pid, **progress)


def both(first: LocalStack, second: LocalStack) -> str:
    """Give the address of two servers, of which one takes writes."""
    urls = [make_url(each.database_url) for each in (first, second)]
    hosts = "&".join(f"host={each.host}:{each.port}" for each in urls)
    return f"{urls[0].drivername}://{urls[0].username}@/{urls[0].database}?{hosts}"


@asynccontextmanager
async def following(
    stack: stacks.Stack, settings: Settings, *, by_hosts: bool = False
) -> AsyncIterator[tuple[Pair, Settings]]:
    """Give a pair, and settings that use it by its address, or by both of its servers', on the Kafka of all tests."""
    async with start_own("embedded", postgres_settings=FSYNC_OFF) as primary, start_own("embedded") as standby:
        address = Address(primary.database_url)
        async with address.listening():
            # The primary is first, and so it is found before the other has become its standby.
            url = both(primary, standby) if by_hosts else address.url
            mixed = ExternalStack(database_url=url, bootstrap_servers=stack.bootstrap_servers, description="mixed")
            async with own_ground(mixed, settings) as own:
                await asyncio.to_thread(follow, primary, standby)
                yield Pair(primary=primary, standby=standby, address=None if by_hosts else address), own


async def begin(run: Scenario) -> None:
    for role in ("consumer", "relay"):
        await run.start(role)
    await run.register_users()


@pytest.mark.parametrize(("seed", "by_hosts"), [(71, False), (72, False), (75, True), (76, True)])
async def test_synchronous_standby_promoted_under_load_loses_nothing(
    bare_settings: Settings, nursery: Nursery, stack: stacks.Stack, seed: int, *, by_hosts: bool
) -> None:
    """Found at the same address as before, or by the processes themselves, which have the addresses of both."""
    async with (
        following(stack, bare_settings, by_hosts=by_hosts) as (pair, own),
        open_scenario(own, nursery, name="synchronous standby promoted", seed=seed) as run,
    ):
        synchronous = "ALTER SYSTEM SET synchronous_standby_names = '*'"
        await administer(pair.primary.database_url, synchronous, "SELECT pg_reload_conf()")
        # It is copied along, and would have the new primary wait for a standby of its own.
        await begin(run)
        async with run.load():
            await run.pause(0.5, 1.5)
            await pair.promote(run)
            await run.pause(0.5, 1.0)
        await run.conclude(drain_seconds=60)
        assert TIMELINE in run.actors[1].printed


@pytest.mark.parametrize("seed", [73, 74])
async def test_asynchronous_standby_that_had_lagged_says_what_is_lost_and_loses_no_command(
    bare_settings: Settings, nursery: Nursery, stack: stacks.Stack, seed: int
) -> None:
    async with (
        following(stack, bare_settings) as (pair, own),
        open_scenario(own, nursery, name="asynchronous standby promoted", seed=seed) as run,
    ):
        await begin(run)
        async with run.load():
            await run.pause(0.5, 1.0)
            cut_off = "ALTER SYSTEM SET primary_conninfo = ''"
            await administer(pair.standby.database_url, cut_off, "SELECT pg_reload_conf()")
            await run.pause(0.5, 1.0)
            await pair.promote(run)
            await run.pause(0.5, 1.0)
        verdict = await run.conclude(drain_seconds=60, not_promised=TOLD_AGAIN)
        evidence = pickle.loads((run.directory / "evidence.pickle").read_bytes())  # noqa: S301 - our own
        assert TIMELINE in run.actors[1].printed
        assert [actor.code for actor in run.actors] == [0, 0]
    # What was published of the lost commits is there once more, with another time of recording; nothing else differs.
    assert Invariant.REPEATED_ALIKE in {finding.invariant for finding in verdict.findings}, "nothing was lost"
    assert find_differences(evidence) == {"ce_recordedtime"}


def find_differences(evidence: Evidence) -> set[str]:
    """Give in which fields and headers repeats differ from what they repeat."""
    found: set[str] = set()
    first: dict[str, dict[str, object]] = {}
    for topic in (evidence.events, evidence.outcomes):
        for record in topic.records:
            content: dict[str, object] = {"key": record.key, "value": record.value, **dict(record.headers)}
            before = first.setdefault(record.header(EVENT_ID) or "", content)
            found |= {name for name in before.keys() | content.keys() if before.get(name) != content.get(name)}
    return found
