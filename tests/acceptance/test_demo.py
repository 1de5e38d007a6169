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

import psutil
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

import stack as stacks
from app import broker, wiring
from app.demo.ground import scene_of
from app.demo.processes import Processes
from app.demo.sending import Sender
from app.demo.watching import Watch
from app.demo.workload import Workload
from app.settings import Settings
from checker.faults import Invariant
from checker.gathering import gather
from checker.history import History
from checker.judge import Result, Verdict, judge
from db.database import Database

DEMO = (sys.executable, "-c", "from app.cli.main import main; main()", "demo")


def _environment(stack: stacks.Stack) -> dict[str, str]:
    return {
        **os.environ,
        "SQUAD_DATABASE_URL": stack.database_url,
        "SQUAD_KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
    }


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
    async with (
        wiring.open_process(settings, "all") as service,
        broker.open_producer(settings) as producer,
        asyncio.TaskGroup() as tasks,
    ):
        for part in service.parts:
            tasks.create_task(part.run())
        sender = Sender(producer=producer, topic=settings.topic("commands"), history=history)
        for planned in (workload.users(), workload.work()):
            for each in planned:
                await sender.send(each)
            await sender.flush()
            await watch.until_decided(history.ends())
        await watch.until_published()
        for part in service.parts:
            part.stop()
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


# Interruption


@contextmanager
def _running_demo(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    demo = subprocess.Popen(
        [*DEMO, "--commands", "100000", "--json"],
        env=dict(environment),
        stdout=subprocess.DEVNULL,
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
async def test_interrupted_demo_leaves_nothing(stack: stacks.Stack, databases, number: signal.Signals) -> None:
    with _running_demo(_environment(stack)) as demo:
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


@pytest.mark.skipif("SQUAD_DATABASE_URL" in os.environ, reason="servers of the demo's own need none in the environment")
def test_interrupted_demo_ends_its_servers() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUAD_")}
    with _running_demo(environment) as demo:
        _wait_until_told(demo, "sending")
        started = psutil.Process(demo.pid).children(recursive=True)
        assert len(started) > 4

        demo.send_signal(signal.SIGINT)
        _, told = demo.communicate(timeout=60)

    assert demo.returncode == 130, told
    assert not [each for each in started if each.is_running()]
