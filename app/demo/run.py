"""The demonstration from beginning to end: servers, processes, commands, measurements, judgement."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

import stack
from app import broker, wiring
from app.demo import latency
from app.demo.beside import beside
from app.demo.ground import environment_of, open_ground, scene_of
from app.demo.latency import Latency
from app.demo.peeking import peek
from app.demo.processes import DemoError, Processes
from app.demo.report import Report
from app.demo.results import COMMANDS, EMBEDDED_COMMANDS, Options, Result, Times
from app.demo.sending import Sender
from app.demo.watching import Watch
from app.demo.workload import Planned, Workload
from app.settings import Settings
from checker.gathering import gather
from checker.history import Attempt, History
from checker.judge import judge
from checker.tally import count
from checker.topics import UnfinishedReadError

SOURCE: Final = "/squad-demo"

NO_KAFKA: Final = (
    "there was no real Kafka: librdkafka's mock keeps little, stamps nothing and isolates no transactions, so its rates"
    " and this verdict say nothing of one; `squad doctor` says how to get one"
)

LOOK_EVERY: Final = 1_000
"""So many commands are sent between two looks at how far the service is."""


def run(options: Options, *, settings: Settings, environment: Mapping[str, str], report: Report) -> Result:
    """Run the demonstration; whatever it started is ended when this returns or raises.

    Args:
        options: what to do.
        settings: of the processes, but for the database and topics, which are the demo's own.
        environment: the process environment, for the servers and the processes.
        report: is told how it goes.

    Raises:
        stack.StackError: there are no servers to be had.
        app.demo.processes.DemoError: consumer or relay ended or does not go on.
    """
    with stack.start(name=f"demo-{os.getpid()}", environment=environment, progress=report.step) as servers:
        report.step("a database and topics of its own: schema, partitions")
        with open_ground(settings, servers) as own:
            result = _run_on(own, sized(options, servers), environment, report)
        if servers.kind == "embedded":
            report.step(NO_KAFKA)
        return result


def sized(options: Options, servers: stack.Stack) -> Options:
    """Give options with a number of commands: so many as the servers can keep, where none was asked for."""
    if options.commands is not None:
        return options
    return replace(options, commands=EMBEDDED_COMMANDS if servers.kind == "embedded" else COMMANDS)


def _run_on(settings: Settings, options: Options, environment: Mapping[str, str], report: Report) -> Result:
    with _open_directory(report) as directory:
        processes = Processes(
            {"consumer": ["consume"], "relay": ["relay", "run"]},
            environment={**environment, **environment_of(settings)},
            directory=directory,
        )
        with (directory / "history.jsonl").open("w") as file, processes:
            history = History(file)
            report.step(f"consumer and relay run: pids {', '.join(map(str, processes.pids.values()))}")
            times, measured = asyncio.run(_demonstrate(settings, options, processes, history, report))
            codes = processes.stop()
        report.step(f"stopped: {', '.join(f'{name} with exit code {code}' for name, code in codes.items())}")
        result = _judge(settings, history.attempts, times, measured, report)
        if result.verdict.passed:
            shutil.rmtree(directory)
        else:
            report.step(f"history and logs are kept in {directory}")
        return result


@contextmanager
def _open_directory(report: Report) -> Iterator[Path]:
    """Give a directory for history and logs, which is kept when something failed, but not when it was interrupted."""
    directory = Path(tempfile.mkdtemp(prefix="squad-demo-"))
    try:
        yield directory
    except KeyboardInterrupt:
        shutil.rmtree(directory)
        raise
    except Exception:
        report.step(f"history and logs are kept in {directory}")
        raise


async def _demonstrate(
    settings: Settings, options: Options, processes: Processes, history: History, report: Report
) -> tuple[Times, Latency]:
    commands = options.commands or COMMANDS
    workload = Workload(count=commands, seed=options.seed, source=SOURCE, time=datetime.now(UTC))
    parts = workload.users(), workload.work()
    async with broker.open_producer(settings) as producer, wiring.open_database(settings) as database:
        sender = Sender(producer=producer, topic=settings.topic("commands"), history=history)
        watch = Watch(settings=settings, database=database, processes=processes, on_decided=report.decided)
        await watch.until_ready()
        report.step(f"both are ready; sending {commands:,} commands")
        async with beside(peek(settings, report.show)):
            with report.progress(commands):
                times = await _send_and_wait(parts, sender, watch, report)
        report.step(f"measuring latency: {options.rate:g} commands/s for {options.latency_seconds:g} s")
        measured = await latency.measure(settings, sender, workload, rate=options.rate, seconds=options.latency_seconds)
        await sender.flush()
        await watch.until_decided(history.ends())
        await watch.until_published()
    return times, measured


async def _send_and_wait(parts: Sequence[Sequence[Planned]], sender: Sender, watch: Watch, report: Report) -> Times:
    """Send each part and wait until it is decided, as a careful producer would: squads need their owners first."""
    began = monotonic()
    sending_seconds = 0.0
    for part in parts:
        part_began = monotonic()
        for number, planned in enumerate(part, len(sender.history.attempts) + 1):
            await sender.send(planned)
            if number % LOOK_EVERY == 0:
                report.sent(number)
                await watch.look()
        await sender.flush()
        sending_seconds += monotonic() - part_began
        report.sent(len(sender.history.attempts))
        await watch.until_decided(sender.history.ends())
    return Times(
        sending_seconds=sending_seconds,
        deciding_seconds=monotonic() - began,
        readable=sum(each.id is not None for part in parts for each in part),
    )


def _judge(settings: Settings, history: Sequence[Attempt], times: Times, measured: Latency, report: Report) -> Result:
    report.step("reading database and topics with fresh clients")
    began = monotonic()
    try:
        evidence = asyncio.run(gather(scene_of(settings), history))
    except UnfinishedReadError as error:
        raise DemoError(f"nothing can be said of the run: {error}") from error
    report.step(f"judging {len(evidence.commands.records):,} commands")
    verdict = judge(evidence)
    report.step(f"read and judged in {monotonic() - began:.1f} s")
    return Result(times=times, latency=measured, tally=count(evidence), verdict=verdict)
