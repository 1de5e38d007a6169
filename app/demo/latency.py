"""How long a command takes to become a readable event, at a modest rate.

An open model: commands leave at their intended times whether or not earlier ones are done, and the time counts from
the intended one, so that a stall is seen by all commands that it held up.
"""

import asyncio
import math
from collections.abc import Collection, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from time import time
from typing import Final

from app import topic_logs
from app.demo.beside import beside
from app.demo.sending import Sender
from app.demo.workload import Planned, Workload
from app.settings import Settings

LATEST_SECONDS: Final = 30.0
"""After the last command, how long the events are waited for."""

PROBE_SECONDS: Final = 0.5
"""How long the event of a probe is waited for before another is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """What was measured, in seconds.

    Args:
        rate: commands per second that were intended.
        sent, seen: commands, and those whose event was read.
        p50_seconds, p99_seconds, most_seconds: from intended send time to event readable; none seen: infinite.
    """

    rate: float
    sent: int
    seen: int
    p50_seconds: float
    p99_seconds: float
    most_seconds: float


async def measure(settings: Settings, sender: Sender, workload: Workload, *, rate: float, seconds: float) -> Latency:
    """Send commands at a steady rate, each of which causes one event, and read the events beside it.

    Args:
        settings: of the run.
        sender: sends them.
        workload: plans them.
        rate: commands per second.
        seconds: for how long.
    """
    reader = EventReader(settings)
    async with beside(reader.run()):
        await _send_until_seen(sender, workload, reader)
        planned = workload.steady(max(1, round(rate * seconds)))
        intended = await _send_steadily(sender, planned, rate)
        await reader.wait_for(intended.keys())
    seen = [reader.seen_at[each] - at for each, at in intended.items() if each in reader.seen_at]
    return summarise(seen, rate=rate, sent=len(planned))


def summarise(seconds: Sequence[float], *, rate: float, sent: int) -> Latency:
    """Give the percentiles, by nearest rank; a command whose event was not seen took for ever."""
    ranked = sorted(seconds) + [math.inf] * (sent - len(seconds))
    return Latency(
        rate=rate,
        sent=sent,
        seen=len(seconds),
        p50_seconds=_percentile(ranked, 0.50),
        p99_seconds=_percentile(ranked, 0.99),
        most_seconds=_percentile(ranked, 1),
    )


class EventReader:
    """Reads the events topic from its end, and notes when the first event of each command could be read.

    Args:
        settings: of the run.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changed = asyncio.Event()
        self.seen_at: dict[str, float] = {}
        """By command id, seconds since 1970."""
        self.published_at: dict[str, float] = {}
        """The same by the broker's clock, which counts milliseconds."""

    async def run(self) -> None:
        """Read until cancelled."""
        async with aclosing(topic_logs.tail(self._settings, self._settings.topic("events"))) as records:
            async for record in records:
                causation_id = (dict(record.headers).get("ce_causationid") or b"").decode()
                if causation_id not in self.seen_at:
                    self.seen_at[causation_id] = time()
                    self.published_at[causation_id] = record.timestamp / 1000
                self._changed.set()

    async def wait_for(self, ids: Collection[str], *, timeout_seconds: float = LATEST_SECONDS) -> bool:
        """Wait until the events of these commands were read; tell whether they were, in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while not self.seen_at.keys() >= set(ids):
                    self._changed.clear()
                    await self._changed.wait()
        return self.seen_at.keys() >= set(ids)


async def _send_until_seen(sender: Sender, workload: Workload, reader: EventReader) -> None:
    """Send a command now and then until the event of one is read: from then on the reader misses none."""
    while not reader.seen_at:
        (probe,) = workload.steady(1)
        await sender.send(probe)
        await reader.wait_for([probe.id or ""], timeout_seconds=PROBE_SECONDS)


async def _send_steadily(sender: Sender, planned: Sequence[Planned], rate: float) -> dict[str, float]:
    """Send at the intended times, late ones at once; give the intended times by command id."""
    began = time()
    intended: dict[str, float] = {}
    for number, each in enumerate(planned):
        due = began + number / rate
        await asyncio.sleep(due - time())
        intended[each.id or ""] = due
        await sender.send(each, intended_at=due)
    return intended


def _percentile(ranked: Sequence[float], share: float) -> float:
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.inf
