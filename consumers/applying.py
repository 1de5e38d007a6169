"""Applying a batch until it is done, whatever can be waited out; what cannot is given back, for somebody to judge."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from time import monotonic
from typing import Protocol

from consumers.checkpoints import FencedError
from consumers.culprits import Culprit
from consumers.inbox import RivalError
from consumers.records import Batch, Partition
from consumers.suspicion import Suspicion
from consumers.tally import Tally, Trouble
from db.describing import describe
from db.errors import Failure, classify
from db.telling import DeployWait
from db.waiting import wait_for
from domain.values import Id

logger = logging.getLogger("squad.consumer")


class Applies(Protocol):
    """What applies a batch in one transaction."""

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]: ...


class Reads(Protocol):
    """What batches come from."""

    def is_current(self, batch: Batch) -> bool: ...
    def read_again(self, batch: Batch) -> None: ...
    def stop_partition(self, partition: Partition, why: str, next_offset: int, awaits: Collection[Id] = ()) -> None: ...


class _Verdict(Enum):
    """What comes of a batch that failed."""

    AGAIN = auto()
    BLAMED = auto()
    """Its records may be at fault."""
    LEFT = auto()
    """To whoever reads it next."""


@dataclass(slots=True)
class _Tries:
    """How the attempts at a batch went so far."""

    waits: Iterator[float]
    suspicion: Suspicion
    deploy: DeployWait
    since: float = field(default_factory=monotonic)
    clashed: bool = False


class Applier:
    """Applies batches.

    Args:
        processor: applies a batch once.
        source: is told what to read again.
        tally: counts what was met.
        on_applied: called with the counts of each committed batch.
        stopping: set when the process is to end: what fails then is not tried again, its checkpoint stays.
        deploy_seconds: how long a missing table, column or partition is waited for.
        waits: gives the seconds between the attempts at one batch.
        probe: says since when the server counts, or raises when it is away; none: it always answers, and nobody knows.
        halving_attempts: how often a batch may in a row fail as its own records may make it fail, while the database
            answers.
    """

    def __init__(
        self,
        *,
        processor: Applies,
        source: Reads,
        tally: Tally,
        on_applied: Callable[[Counter[str]], None],
        stopping: asyncio.Event,
        deploy_seconds: float,
        waits: Callable[[], Iterator[float]],
        probe: Callable[[], Awaitable[datetime | None]] | None,
        halving_attempts: int,
    ) -> None:
        self._processor = processor
        self._source = source
        self._tally = tally
        self._on_applied = on_applied
        self._stopping = stopping
        self._deploy_seconds = deploy_seconds
        self._waits = waits
        self._probe = probe
        self._halving_attempts = halving_attempts

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Exception | None:
        """Apply until it is done, the batch is no longer ours, or an error says that the records are at fault."""
        with Trouble(self._tally) as trouble:
            return await self._apply_until_done(batch, culprit, trouble)

    async def _apply_until_done(self, batch: Batch, culprit: Culprit | None, trouble: Trouble) -> Exception | None:
        suspicion, deploy = Suspicion(attempts=self._halving_attempts), DeployWait(seconds=self._deploy_seconds)
        tries = _Tries(self._waits(), suspicion, deploy)
        while self._source.is_current(batch):
            try:
                counts = await self._processor.apply(batch, culprit)
            except FencedError as fenced:
                logger.warning("batch dropped: %s", fenced)
                self._tally.fenced += 1
                self._source.read_again(batch)
                return None
            except RivalError as rival:
                logger.info("deciding again: %s", rival)
                self._tally.rivals += 1
            except Exception as error:  # noqa: BLE001 - told apart there, and raised again if it is to be
                match await self._judge(error, tries, trouble, batch, culprit):
                    case _Verdict.BLAMED:
                        return error
                    case _Verdict.LEFT:
                        return None
            else:
                if trouble:
                    logger.warning("going on after %.1f s", monotonic() - tries.since)
                self._on_applied(counts)
                return None
        return None

    async def _judge(
        self, error: Exception, tries: _Tries, trouble: Trouble, batch: Batch, culprit: Culprit | None
    ) -> _Verdict:
        """Say what an error is to come to, and wait where it is to be tried again.

        Raises:
            HalfDeployedError: it was waited for long enough.
        """
        failure = classify(error)
        if failure is Failure.CLASH and not tries.clashed:
            tries.clashed = True
            self._tally.retries[failure] += 1
            return _Verdict.AGAIN
        if failure in {Failure.CLASH, Failure.UNEXPECTED}:
            return _Verdict.BLAMED
        if failure is Failure.HALF_DEPLOYED:
            # Counted from there, not from an outage before it: the old schema may come back first, after a failover.
            tries.deploy.meet(error)
        said = describe(error)
        if trouble.meet(failure, said):
            logger.warning("%s failure, the same records again: %s", failure, said)
        # What makes a dead letter touches too little to be at fault.
        suspected = tries.suspicion.meet(error) and culprit is None
        if await self._is_to_end(batch, tries.waits, tries.suspicion if suspected else None):
            return _Verdict.LEFT
        if tries.suspicion.blames:
            logger.warning("the database answers, but fails with these records: %s", said)
            return _Verdict.BLAMED
        return _Verdict.AGAIN

    async def _is_to_end(self, batch: Batch, waits: Iterator[float], suspicion: Suspicion | None) -> bool:
        """Wait, and if the records are suspected, for the database to answer: while it is away, none can be blamed.

        Returns:
            Whether the process is to end instead, or the batch is somebody else's now.
        """
        while True:
            if await wait_for(self._stopping, next(waits)):
                logger.warning("batch left to whoever reads it next: the process is to end")
                return True
            if suspicion is None:
                return False
            if not self._source.is_current(batch):
                return True
            try:
                suspicion.hear(None if self._probe is None else await self._probe())
            except Exception as error:  # noqa: BLE001 - whatever it is, it is none of the records'
                logger.debug("the database is away: %s", describe(error))
            else:
                return False
