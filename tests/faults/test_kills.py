"""Kill -9 of consumers, relays and servers under load: nothing is lost, doubled or out of order."""

import asyncio
from typing import Final

import pytest

from tests.faults.boundaries import Deaths, die_everywhere
from tests.faults.conftest import Scenarios
from tests.faults.hooks import Part, Unit
from tests.faults.scenario import Scenario

pytestmark = pytest.mark.real_kafka("groups of several consumers")


async def _kill_at_random(run: Scenario, names: list[str], *, times: int) -> None:
    """Kill processes under load, all of these at once, and start others, so many times."""
    all_names = names if "service" in names else sorted({"consumer", "relay", *names})
    actors = {name: await run.start(name) for name in all_names}
    await run.register_users()
    async with run.load():
        for _ in range(times):
            # Most die at work, some while they join or wait for the lease.
            if run.chance.random() < 0.8:
                await asyncio.gather(*(run.until_works(actors[name]) for name in names))
            await run.pause(0, 0.6)
            for name in names:
                await run.kill(actors[name])
            await run.pause(0, 0.3)
            for name in names:
                actors[name] = await run.restart(actors[name])


async def test_consumer_relay_and_both_killed_at_random_lose_and_double_nothing(scenario: Scenarios) -> None:
    async with scenario(seed=1) as run:
        actors = {name: await run.start(name) for name in ("consumer-1", "consumer-2", "relay")}
        await run.register_users()
        async with run.load(rate=300):
            for names in 2 * [["consumer-1"], ["relay"], ["consumer-2", "relay"]]:
                await asyncio.gather(*(run.until_works(actors[name]) for name in names))
                await run.pause(0, 0.3)
                for name in names:
                    await run.kill(actors[name])
                    actors[name] = await run.restart(actors[name])
        await run.conclude()
        assert run.count_killed_at_work() == 8


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("names", [["consumer"], ["relay"], ["consumer", "relay"], ["service"]], ids=" and ".join)
@pytest.mark.long_faults
@pytest.mark.timeout(300)
async def test_processes_killed_twenty_times_at_random(scenario: Scenarios, names: list[str], seed: int) -> None:
    async with scenario(seed=seed) as run:
        await _kill_at_random(run, names, times=20)
        await run.conclude()
        assert run.count_killed_at_work() >= 10 * len(names)


@pytest.mark.parametrize("seed", [21, 22])
@pytest.mark.long_faults
@pytest.mark.timeout(300)
async def test_one_of_several_consumers_and_relays_killed_twenty_times_at_random(
    scenario: Scenarios, seed: int
) -> None:
    names = ["consumer-1", "consumer-2", "consumer-3", "relay-1", "relay-2"]
    async with scenario(seed=seed) as run:
        actors = {name: await run.start(name) for name in names}
        await run.register_users()
        async with run.load():
            for _ in range(20):
                await run.pause(0.2, 1.5)
                # A standby's death is of interest too.
                name = run.chance.choice(names)
                await run.kill(actors[name])
                actors[name] = await run.restart(actors[name])
        await run.conclude()
        assert run.count_killed_at_work() >= 5


async def _kill_everywhere(run: Scenario, unit: Unit, *, rate: float) -> dict[Part, Deaths]:
    """Have consumers and relays die at every boundary, beside each other and under load."""
    consumer = await run.start("consumer")
    await run.register_users()
    await consumer.stop()
    async with run.load(rate=rate), asyncio.TaskGroup() as tasks:
        batch = tasks.create_task(die_everywhere(run, "batch", unit))
        page = tasks.create_task(die_everywhere(run, "page", unit))
    return {"batch": batch.result(), "page": page.result()}


async def test_consumer_and_relay_killed_at_every_statement_lose_and_double_nothing(scenario: Scenarios) -> None:
    async with scenario(seed=2) as run:
        deaths = await _kill_everywhere(run, "statement", rate=150)
        await run.conclude()

    batch, page = "\n".join(deaths["batch"].died), "\n".join(deaths["page"].died)
    for what in ("BEGIN", "INSERT INTO inbox", "INSERT INTO outbox", "UPDATE checkpoints", "COMMIT"):
        assert f"before {what}" in batch
    for what in ("SELECT CAST(pg_current_snapshot()", "a batch for events", "UPDATE relay_cursors"):
        assert f"before {what}" in page
    for part, each in deaths.items():
        assert f"after the {part} #1" in each.died
        assert each.undisturbed <= set(each.died)


WAITS: Final[dict[Part, tuple[str, ...]]] = {
    "batch": (
        *("Processor.apply > _AsyncGeneratorContextManager.__aenter__", "lock_and_compare", "> find >", "load_state"),
        *("write_state", "Outbox.write", "> advance >", "Processor.apply > _AsyncGeneratorContextManager.__aexit__"),
    ),
    "page": ("Reader.open", "Window.survey", "KafkaPublisher._publish_share", "Sending.send", "Reader.advance"),
}
"""Where a batch and a page wait at least: a way to see waits that overlooked some would say that all were hit."""


async def test_relay_killed_in_a_long_window_repeats_one_page(scenario: Scenarios) -> None:
    async with scenario(seed=4, users=80) as run:
        consumer = await run.start("consumer")
        await run.register_users()
        async with run.load(rate=400):
            backlog = await run.until(lambda seen: seen.unpublished > 600, "a backlog of ten pages", 30)
        relay = await run.start(
            "relay",
            hook="tests.faults.hooks:kill_at",
            part="page",
            unit="statement",
            report=str(run.directory / "page.jsonl"),
            only="UPDATE relay_cursors",
            spared=5,
        )
        code = await relay.wait(20)
        left = await run.look()
        pages = {"before": backlog.unpublished, "after": left.unpublished}
        run.journal.note("relay killed in a window", breaks=1, code=code, **pages)
        await run.conclude()

    assert code == -9
    assert 0 < left.unpublished < backlog.unpublished
    assert consumer.code == 0


@pytest.mark.long_faults
@pytest.mark.timeout(600)
async def test_consumer_and_relay_killed_at_every_await_lose_and_double_nothing(scenario: Scenarios) -> None:
    async with scenario(seed=3) as run:
        deaths = await _kill_everywhere(run, "await", rate=40)
        await run.conclude()

    for part, each in deaths.items():
        assert each.undisturbed <= set(each.died), "a batch or page that nobody disturbed waits where nobody died"
        # Not among the undisturbed alone: behind so many deaths all their pages may be of one window.
        seen = each.undisturbed | set(each.died)
        unseen = {where for where in WAITS[part] if not any(where in name for name in seen)}
        assert not unseen, sorted(seen)
