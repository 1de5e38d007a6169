"""What a real process tells by HTTP: every metric of the list, as its run's own counts say, and whether it is well."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from app import broker
from app.monitoring.asking import why_ill
from app.monitoring.names import METRICS, NUMBERS
from app.settings import Settings
from db.database import Database
from domain.commands import Command
from domain.rejections import Code
from tests import making
from tests.acceptance.conftest import Process, eventually, running, send
from tests.acceptance.scraping import Samples, ask, scrape
from tests.faults.proxy import Proxy
from tests.faults.proxying import before_postgres
from tests.faults.rules import Cut, Rule
from tests.making import new_id

OF_THE_API = {"api", "sessions", "outcomes"}
"""Values of labels that only `squad api` has."""


@asynccontextmanager
async def running_for(settings: Settings) -> AsyncIterator[Process]:
    with running(settings, "run") as process:
        yield process


async def is_ready(process: Process) -> bool:
    return (await ask(process, "/readyz"))[0] == 200


def cut_off(proxy: Proxy) -> None:
    """Cut every connection, and each that comes, until the proxy is healed."""
    proxy.add(Rule(when=lambda message: message.direction == "request", action=Cut(), times=10**6))
    proxy.cut_all()


def watched(service, **more):
    quick = {
        "monitoring_port": 0,
        "monitoring_look_seconds": 0.2,
        "inbox_prune_interval_seconds": 0.2,
        "heartbeat_interval_seconds": 0.2,
        "caught_up_interval_seconds": 0.2,
    }
    return service.model_copy(update=quick | more)


async def test_every_metric_is_exported_and_moves_as_the_run_itself_counts(service, database):
    async def is_over(process: Process) -> bool:
        samples, _ = await scrape(process)
        rows = await count(database, "SELECT count(*) FROM outbox")
        return (
            sum(value for (name, _), value in samples.items() if name == "squad_commands_total") == 8
            and samples["squad_relay_published_rows_total", ""] == rows
            and samples.get(("squad_dead_letters_open", "unreadable")) == 1
            and ("squad_inbox_floor_age_seconds", "") in samples
        )

    with running(watched(service), "run") as process:
        await eventually("it is ready", lambda: is_ready(process))
        await send_eight(service, database)
        await eventually("everything is counted", lambda: is_over(process))
        samples, kinds = await scrape(process)
        code, printed = await asyncio.to_thread(process.stop)

    assert code == 0, printed
    by_topic = f"SELECT count(*) FROM outbox WHERE topic = '{service.topic('events')}'"
    assert samples["squad_outbox_rows_total", "event"] == await count(database, by_topic)
    partitions = {label for name, label in samples if name == "squad_partition_position"}
    assert partitions == {str(number) for number in range(service.topic_partitions)}
    assert_eight_are_counted(samples)
    assert_is_the_list(samples, kinds)


async def count(database: Database, query: str) -> float:
    async with database.sessions() as session:
        return float(await session.scalar(text(query)) or 0)


async def send_eight(settings: Settings, database: Database) -> None:
    """Send eight records, of which four are applied and the others are not, each for a reason of its own."""

    async def is_known() -> bool:
        return await count(database, "SELECT count(*) FROM users") == 1

    user_id, squad_id, project_id = new_id(), new_id(), new_id()
    await send(settings, [making.register_user(user_id)], ids=["user"])
    async with broker.open_producer(settings) as producer:
        await producer.send_and_wait(settings.topic("commands"), b"nothing readable")
    await eventually("the user is known", is_known)
    squad: Command = making.create_squad(user_id, squad_id)
    work: list[Command] = [
        making.create_project(squad_id, project_id),
        making.complete_project_tasks(squad_id, project_id),
    ]
    await send(settings, [squad, squad, squad, *work, making.transfer(squad_id, user_id)], ids=list("112345"))


def assert_eight_are_counted(samples: Samples) -> None:
    outcomes = {label: value for (name, label), value in samples.items() if name == "squad_commands_total"}
    assert outcomes == {
        "applied": 4,
        "rejected": 2,
        "dead-lettered": 1,
        "duplicate": 1,
        "expired": 0,
        "parked": 0,
    }
    codes = {label for (name, label), value in samples.items() if name == "squad_commands_rejected_total" and value}
    assert codes == {Code.SQUAD_EXISTS, Code.SAME_OWNER}
    assert samples["squad_dead_letters_total", "unreadable"] == 1
    assert samples["squad_batch_records_sum", ""] == 8
    assert samples["squad_batch_seconds_count", ""] == samples["squad_batch_records_count", ""] > 0
    assert sum(value for (name, _), value in samples.items() if name == "squad_partition_position") == 8
    assert all(value == 0 for (name, _), value in samples.items() if name == "squad_partition_lag_records")
    assert samples["squad_relay_leads", "0"] == 1


async def test_outage_of_the_database_is_one_state_told_by_part_until_it_is_over(service):
    async def reads(process: Process) -> bool:
        samples, _ = await scrape(process)
        return sum(name == "squad_partition_position" for name, _ in samples) == service.topic_partitions

    async def waits(process: Process) -> bool:
        samples, _ = await scrape(process)
        return samples["squad_troubles", "transient"] == 1 and samples["squad_ready", "database"] == 0

    async def is_over(process: Process) -> bool:
        samples, _ = await scrape(process)
        return samples["squad_commands_total", "applied"] == 1 and await is_ready(process)

    quick = {"monitoring_ready_seconds": 0.3, "lease_renew_seconds": 0.5, "backoff_most_seconds": 0.2}
    async with (
        before_postgres(service.database_url) as (proxy, url),
        running_for(watched(service, database_url=url, database_ssl_mode="disable", **quick)) as process,
    ):
        await eventually("it is ready", lambda: is_ready(process))
        await eventually("it reads", lambda: reads(process))
        cut_off(proxy)
        await send(service, [making.register_user()])
        await eventually("it waits", lambda: waits(process))
        status, body = await ask(process, "/readyz")
        alive, _ = await ask(process, "/healthz")
        during, _ = await scrape(process)
        proxy.heal()
        await eventually("it is over", lambda: is_over(process))
        after, _ = await scrape(process)
        code, printed = await asyncio.to_thread(process.stop)

    assert code == 0, printed
    assert (status, alive) == (503, 200)
    parts = json.loads(body)["parts"]
    assert parts.pop("database").startswith("last answer: ")
    parts.pop("relay")
    assert {*parts.values()} == {"ok"}
    assert during["squad_troubles", "transient"] == 1
    assert ("squad_outbox_oldest_age_seconds", "0") not in during, "what cannot be seen is not shown"
    assert after["squad_troubles", "transient"] == 0
    assert after["squad_troubles_total", "transient"] == 1, "one for the state, however often it was tried"
    assert after["squad_ready", "database"] == 1
    assert after["squad_relay_interruptions_total", ""] <= 1
    assert_told_once(printed)


def assert_told_once(printed: str) -> None:
    """The log says once that something fails and once that it goes on, however often it was tried."""
    assert printed.count("transient failure, the same records again") == printed.count("going on after") == 1
    for said in ("relay interrupted shard=0", "shards not looked at", "pruning postponed"):
        assert printed.count(f"{said}: over after") <= printed.count(f"{said}, trying") <= 1, said


def assert_is_the_list(samples: Samples, kinds: dict[str, str]) -> None:
    """Nothing but the list is exported, and everything of it has a value."""
    assert kinds == {name.removesuffix("_total"): metric.kind for name, metric in METRICS.items()}
    assert {label for name, label in samples if name == "squad_process_info"} == {"all"}
    suffixes = {"counter": "", "gauge": "", "histogram": "_count"}
    for name, metric in METRICS.items():
        values = {label for sample, label in samples if sample == name + suffixes[metric.kind]}
        assert values, f"nobody sets {name}"
        for closed in metric.labels.values():
            numbers = closed is NUMBERS and all(value.isdigit() for value in values)
            assert numbers or values == {*closed} - OF_THE_API or name == "squad_process_info", name


async def test_http_api_is_ready_while_the_database_answers_and_lives_in_any_case(service):
    async def is_not(process: Process) -> bool:
        return (await ask(process, "/readyz"))[0] == 503

    quick = {"api_port": 0, "monitoring_ready_seconds": 0.3}
    async with before_postgres(service.database_url) as (proxy, url):
        settings = watched(service, database_url=url, database_ssl_mode="disable", **quick)
        with running(settings, "api") as process:
            await eventually("it is ready", lambda: is_ready(process))
            samples, kinds = await scrape(process)
            port = int(re.findall(r"metrics and health at \S+ port (\d+)", process.printed)[0])
            here = settings.model_copy(update={"monitoring_port": port})
            cut_off(proxy)
            await eventually("it is not ready", lambda: is_not(process))
            _, body = await ask(process, "/readyz")
            lives = await asyncio.to_thread(why_ill, here)
            proxy.heal()
            await eventually("it is ready again", lambda: is_ready(process))
            code, printed = await asyncio.to_thread(process.stop)
        gone = await asyncio.to_thread(why_ill, here)

    assert code == 0, printed
    assert kinds.items() <= {name.removesuffix("_total"): each.kind for name, each in METRICS.items()}.items()
    assert {label for name, label in samples if name == "squad_process_info"} == {"api"}
    pools = {label for name, label in samples if name == "squad_pool_connections"}
    assert pools == {"heartbeat", "sessions", "outcomes"} <= {*METRICS["squad_pool_connections"].labels["pool"]}
    parts = json.loads(body)["parts"]
    assert parts.pop("database").startswith("last answer: ")
    assert parts == {"event loop": "ok", "process": "ok"}
    assert lives is None
    assert gone is not None
    assert gone.startswith(f"http://127.0.0.1:{port}/healthz does not answer: ")
