"""Servers of a scenario's own, which it may hurt."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Literal
from uuid import uuid4

import stack as stacks
from app.demo.ground import open_ground
from app.settings import Settings
from stack.local_stack import LocalStack
from tests.faults.scenario import Scenario

Server = Literal["postgres", "kafka"]
Kind = Literal["local", "embedded"]


def why_none(kind: Kind = "local") -> str:
    """Say why no servers of a kind can be started here, or nothing."""
    try:
        stacks.choose(_environment(kind))
    except stacks.StackError as error:
        return str(error)
    return ""


def _environment(kind: Kind) -> dict[str, str]:
    return {**os.environ, "SQUAD_STACK": kind}


@asynccontextmanager
async def start_own(kind: Kind = "local", **options: Any) -> AsyncIterator[LocalStack]:
    """Give servers that end with the block.

    Args:
        kind: local ones, or with a mock of Kafka, which starts at once.
        options: as `stack.start` takes them.
    """
    name = f"faults-{os.getpid()}-{uuid4().hex[:6]}"
    found = await asyncio.to_thread(lambda: stacks.start(name=name, environment=_environment(kind), **options))
    assert isinstance(found, LocalStack)
    try:
        yield found
    finally:
        await asyncio.to_thread(found.stop)


@asynccontextmanager
async def own_ground(servers: stacks.Stack, settings: Settings) -> AsyncIterator[Settings]:
    """Give settings for a migrated database and topics on such servers.

    Args:
        servers: where.
        settings: what else the processes are to use.
    """
    ground = open_ground(settings, servers)
    found = await asyncio.to_thread(ground.__enter__)
    try:
        yield found
    finally:
        await asyncio.to_thread(ground.__exit__, None, None, None)


async def hurt(
    run: Scenario, servers: LocalStack, server: Server, fault: str, end: Callable[[], None], begin: Callable[[], None]
) -> None:
    """End a server under load and bring it back, noted with its processes' ids and for how long it was away.

    Args:
        run: of which it is a fault.
        servers: of which one is hurt.
        server: which one.
        fault: what it is, for the journal.
        end, begin: do it; they block.
    """
    before, progress = servers.pids[server], await run.glance()
    began = monotonic()
    await asyncio.to_thread(end)
    assert server not in servers.pids
    await run.pause(0.2, 1.0)
    await asyncio.to_thread(begin)
    run.journal.note(
        fault,
        # Each relay loses its connections once; what it does meanwhile cannot reach the server.
        breaks=sum(actor.lives and actor.role.relays for actor in run.actors),
        pid_before=before,
        pid_after=servers.pids[server],
        away_seconds=round(monotonic() - began, 2),
        **progress,
    )
