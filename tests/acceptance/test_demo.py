"""The demonstration, the checker on what a real run left, and what an interruption leaves: nothing."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import pytest_asyncio
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

import stack as stacks
from app import broker
from app.demo.ground import needs_of, scene_of
from app.demo.processes import Processes
from app.demo.sending import Sender
from app.demo.watching import Watch
from app.demo.workload import Workload
from app.settings import Settings, variable
from checker.faults import Invariant
from checker.gathering import gather
from checker.history import History
from checker.judge import Result, Verdict, judge
from db.database import Database
from stack import variables
from tests.inside import process_inside

SQUAD = (sys.executable, "-c", "from app.cli.main import main; main()")
DEMO = (*SQUAD, "demo")


def _environment(stack: stacks.Stack) -> dict[str, str]:
    needs = {variable(name): str(value) for name, value in needs_of(stack).items()}
    return {**os.environ, variables.KIND: "external", **needs}


def test_demo_verifies_itself(stack: stacks.Stack) -> None:
    finished = subprocess.run(
        [*DEMO, "--commands", "500", "--latency-seconds", "1", "--json"],
        env=_environment(stack),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    summary = json.loads(finished.stdout)
    assert summary["verdict"] == "PASS"
    assert sum(summary["sent_by_kind"].values()) == summary["sent"] >= 700
    assert summary["applied"] + sum(summary["rejected"].values()) > 600
    assert summary["duplicates"] > 0
    assert summary["dead_letters"].keys() == {
        "unreadable",
        "key-mismatch",
        "invalid-data",
        "unknown-type",
        "id-conflict",
    }
    assert summary["latency"]["seen"] == summary["latency"]["sent"] == 200
    assert 0 < summary["latency"]["p50_seconds"] <= summary["latency"]["p99_seconds"]


def test_up_makes_schema_and_topics_and_tells_how_to_talk(stack: stacks.Stack, empty_database_url: str) -> None:
    addresses = {"SQUAD_DATABASE_URL": empty_database_url, "SQUAD_KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers}
    environment = {**_environment(stack), **addresses, "SQUAD_TOPIC_PREFIX": f"{uuid4().hex}."}

    def squad(*arguments: str) -> str:
        return subprocess.run([*SQUAD, *arguments], env=environment, capture_output=True, text=True, check=True).stdout

    told = squad("up")

    for name, value in addresses.items():
        assert f"export {name}={value}\n" in told
    assert "squad run" in told
    assert json.loads(squad("up", "--json"))["environment"] == addresses
    assert squad("topics", "create").startswith("all topics exist")
    assert squad("events", "tail", "--from-beginning", "--to-end") == ""


# The checker on a real run


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run at rest."""

    settings: Settings
    history: History
    database: Database

    async def judge(self) -> Verdict:
        return judge(await gather(scene_of(self.settings), self.history.attempts))


@pytest_asyncio.fixture
async def finished_run(settings: Settings, database: Database, tmp_path: Path) -> FinishedRun:
    """The demo's commands, sent to a service in this process, which then stopped."""
    await broker.create_topics(settings)
    history = History()
    workload = Workload(count=300, seed=7, source="/tests", time=datetime.now(UTC))
    watch = Watch(
        settings=settings,
        database=database,
        processes=Processes({}, environment={}, directory=tmp_path),
        on_decided=lambda _: None,
    )
    async with broker.open_producer(settings) as producer, process_inside(settings, "all"):
        sender = Sender(producer=producer, topic=settings.topic("commands"), history=history)
        for planned in (workload.users(), workload.work()):
            for each in planned:
                await sender.send(each)
            await sender.flush()
            await watch.until_decided(history.ends())
        await watch.until_published()
    return FinishedRun(settings, history, database)


def _broken(verdict: Verdict) -> set[Invariant]:
    return {finding.invariant for finding in verdict.findings}


async def test_real_run_passes(finished_run: FinishedRun) -> None:
    verdict = await finished_run.judge()

    assert verdict.result is Result.PASS, verdict


async def test_deleted_inbox_row_fails(finished_run: FinishedRun) -> None:
    async with finished_run.database.transaction() as session:
        await session.execute(
            text("DELETE FROM inbox WHERE command_id = (SELECT min(command_id) FROM inbox WHERE outcome = 'applied')")
        )

    verdict = await finished_run.judge()

    assert verdict.result is Result.FAIL
    assert {Invariant.DECIDED_ONCE, Invariant.EFFECT_ONCE, Invariant.ANSWERED} <= _broken(verdict)


async def test_event_published_again_with_another_number_fails(finished_run: FinishedRun) -> None:
    settings, topic = finished_run.settings, finished_run.settings.topic("events")
    evidence = await gather(scene_of(settings), finished_run.history.attempts)
    event = evidence.events.records[0]
    renumbered = [(name, b"%019d" % 99 if name == "ce_sequence" else value) for name, value in event.headers]

    async with broker.open_producer(settings) as producer:
        await producer.send_and_wait(topic, event.value, key=event.key, headers=list(event.headers))
        repeated = await finished_run.judge()
        await producer.send_and_wait(topic, event.value, key=event.key, headers=renumbered)
        changed = await finished_run.judge()

    assert repeated.result is Result.PASS
    assert _broken(changed) == {Invariant.REPEATED_ALIKE}


# Failure and interruption


@contextmanager
def _running_demo(environment: Mapping[str, str], *, commands: int = 100_000) -> Iterator[subprocess.Popen[str]]:
    demo = subprocess.Popen(
        [*DEMO, "--commands", str(commands), "--json"],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield demo
    finally:
        demo.kill()
        demo.communicate()


def _wait_until_told(demo: subprocess.Popen[str], what: str) -> None:
    assert demo.stderr is not None
    told = []
    for line in demo.stderr:
        told.append(line)
        if what in line:
            return
    pytest.fail(f"the demo ended without telling {what!r}: {''.join(told)}")


async def test_demo_whose_database_is_damaged_fails(stack: stacks.Stack, tmp_path: Path) -> None:
    with _running_demo({**_environment(stack), "TMPDIR": str(tmp_path)}, commands=500) as demo:
        await asyncio.to_thread(_wait_until_told, demo, "measuring latency")
        engine = create_async_engine(psutil.Process(demo.pid).children()[0].environ()["SQUAD_DATABASE_URL"])
        async with engine.begin() as connection:
            await connection.execute(
                text("DELETE FROM inbox WHERE (source, command_id) IN (SELECT source, command_id FROM inbox LIMIT 1)")
            )
        await engine.dispose()
        summary, told = await asyncio.to_thread(demo.communicate, timeout=60)

    assert demo.returncode == 1, told
    assert json.loads(summary)["verdict"] == "FAIL"
    assert Invariant.DECIDED_ONCE in {finding["invariant"] for finding in json.loads(summary)["findings"]}
    assert f"history and logs are kept in {tmp_path}" in told


def test_demo_whose_consumer_ends_fails(stack: stacks.Stack, tmp_path: Path) -> None:
    with _running_demo({**_environment(stack), "TMPDIR": str(tmp_path)}) as demo:
        _wait_until_told(demo, "sending")
        consumer = next(each for each in psutil.Process(demo.pid).children() if each.cmdline()[-1] == "consume")
        consumer.kill()
        _, told = demo.communicate(timeout=60)

    assert demo.returncode == 1, told
    assert "the consumer ended with exit code -9" in told
    assert "the log of the consumer ends" in told


def _is_empty(directory: Path) -> bool:
    return not list(directory.iterdir())


@pytest_asyncio.fixture
async def databases(stack: stacks.Stack) -> AsyncIterator[object]:
    """Tells which databases there are."""
    engine = create_async_engine(stack.database_url)

    async def names() -> set[str]:
        async with engine.connect() as connection:
            return set(await connection.scalars(text("SELECT datname FROM pg_database")))

    yield names
    await engine.dispose()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_demo_leaves_nothing(
    stack: stacks.Stack, databases, number: signal.Signals, tmp_path: Path
) -> None:
    with _running_demo({**_environment(stack), "TMPDIR": str(tmp_path)}) as demo:
        await asyncio.to_thread(_wait_until_told, demo, "sending")
        started = psutil.Process(demo.pid).children(recursive=True)
        grounds = {each.environ()["SQUAD_TOPIC_PREFIX"].removesuffix(".") for each in started}
        assert len(started) == 2
        assert grounds <= await databases()

        demo.send_signal(number)
        _, told = await asyncio.to_thread(demo.communicate, timeout=60)

    assert demo.returncode == 130, told
    assert not [each for each in started if each.is_running()]
    assert not grounds & await databases()
    assert _is_empty(tmp_path)


async def test_processes_end_when_the_demo_is_killed(stack: stacks.Stack, tmp_path: Path) -> None:
    with _running_demo({**_environment(stack), "TMPDIR": str(tmp_path)}) as demo:
        await asyncio.to_thread(_wait_until_told, demo, "sending")
        started = psutil.Process(demo.pid).children(recursive=True)
        url = started[0].environ()["SQUAD_DATABASE_URL"]

        demo.kill()
        _, alive = await asyncio.to_thread(psutil.wait_procs, started, timeout=30)

    assert not alive
    await _drop(stack.database_url, url)


async def _drop(server_url: str, url: str) -> None:
    engine = create_async_engine(server_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"DROP DATABASE {make_url(url).database} WITH (FORCE)"))
    await engine.dispose()


def test_interrupted_demo_ends_its_servers() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUAD_")}
    # The one kind that every machine has; how each ends its servers is tested with it.
    with _running_demo({**environment, variables.KIND: "embedded"}) as demo:
        _wait_until_told(demo, "sending")
        started = psutil.Process(demo.pid).children(recursive=True)
        assert len(started) > 4

        demo.send_signal(signal.SIGINT)
        _, told = demo.communicate(timeout=60)

    assert demo.returncode == 130, told
    assert not [each for each in started if each.is_running()]
