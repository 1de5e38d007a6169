"""What is done when a batch fails: the failure table (docs/architecture.md, "Failures"), in one place.

| what went wrong | what happens |
|---|---|
| the batch does not begin at the checkpoint | dropped; its partitions are read again from their checkpoints |
| a partition was taken away | the attempt under way is the last one; then dropped, and the checkpoint decides |
| transient | the same records again, for as long as it takes |
| a statement timeout, out of memory, a crash, some times in a row while the database answers in between | bisected |
| a rival was faster | the same records again, once; then bisected |
| code and schema do not fit | the same records again for a while; then the process stops |
| it may not be applied as things are (`HaltError`) | bisected; its partition is stopped in front of it |
| anything else | bisected; alone, tried some more, then a dead letter, and later commands of its streams are parked |
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from time import monotonic
from typing import Protocol

from consumers.checkpoints import FencedError
from consumers.culprits import DEFAULT_POLICY, Culprit, Policy, envelope_of, name_of
from consumers.halting import HaltError
from consumers.inbox import RivalError
from consumers.records import Batch, Partition, partition_of
from consumers.suspicion import Suspicion
from consumers.tally import Tally, Trouble
from db.describing import describe, origin, trace
from db.errors import Failure, classify
from db.telling import HalfDeployedError
from db.waiting import jittered_seconds, wait_for

logger = logging.getLogger("squad.consumer")


class Applies(Protocol):
    """What applies a batch in one transaction."""

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]: ...


class Reads(Protocol):
    """What batches come from."""

    def is_current(self, batch: Batch) -> bool: ...
    def read_again(self, batch: Batch) -> None: ...
    def stop_partition(self, partition: Partition, why: str, next_offset: int) -> None: ...


class Settler:
    """Brings each batch to an end: applied, dropped, or its culprit named.

    Args:
        processor: applies a batch.
        source: is told what to read again and what to stop.
        on_applied: called with the counts of each committed batch.
        stopping: set when the process is to end: what fails then is not tried again, its checkpoint stays.
        deploy_seconds: how long a missing table, column or partition is waited for.
        backoff_seconds, backoff_most_seconds: of the attempts after transient failures, and of a culprit's.
        attempts: how often a record that fails is tried alone.
        probe: says since when the server counts, or raises when it is away; none: it always answers, and nobody knows.
        halving_attempts: how often a batch may in a row fail as its own records may make it fail, while the database
            answers.
        policies: what is done with culprits, by their types; the others' later commands are parked.
    """

    def __init__(
        self,
        *,
        processor: Applies,
        source: Reads,
        on_applied: Callable[[Counter[str]], None] = lambda _: None,
        stopping: asyncio.Event | None = None,
        deploy_seconds: float = 60,
        backoff_seconds: float = 0.1,
        backoff_most_seconds: float = 30,
        attempts: int = 3,
        probe: Callable[[], Awaitable[datetime | None]] | None = None,
        halving_attempts: int = 3,
        policies: Mapping[str, Policy] | None = None,
    ) -> None:
        self._processor = processor
        self._source = source
        self._on_applied = on_applied
        self._stopping = stopping or asyncio.Event()
        self._deploy_seconds = deploy_seconds
        self._backoff_seconds = backoff_seconds
        self._backoff_most_seconds = backoff_most_seconds
        self._attempts = attempts
        self._probe = probe
        self._halving_attempts = halving_attempts
        self._policies = policies or {}
        self.tally = Tally()

    async def settle(self, batch: Batch) -> frozenset[Partition]:
        """Apply a batch, however long it takes.

        Returns:
            The partitions that had to be stopped.

        Raises:
            HalfDeployedError: the schema did not come to fit in time.
        """
        error = await self._apply_patiently(batch)
        if error is None:
            return frozenset()
        if len(batch.records) == 1:
            return await self._settle_alone(batch, error)
        self.tally.bisections += 1
        left, right = batch.halves()
        stopped = await self.settle(left)
        rest = right.without(stopped)
        if rest.records and self._source.is_current(rest):
            stopped |= await self.settle(rest)
        return stopped

    async def _settle_alone(self, batch: Batch, error: Exception | None) -> frozenset[Partition]:
        """Try a record some more that failed alone, and then let the others go on without it."""
        attempts, since, waits = 1, monotonic(), self._waits()
        while error is not None:
            [record] = batch.records
            if isinstance(error, HaltError):
                return self._stop(batch, f"{name_of(record)} is not applied: {error}")
            if attempts >= self._attempts:
                return await self._give_up(batch, error, attempts, since)
            if await wait_for(self._stopping, next(waits)):
                break
            attempts += 1
            self.tally.retries[Failure.UNEXPECTED] += 1
            error = await self._apply_patiently(batch)
        return frozenset()

    async def _give_up(self, batch: Batch, error: Exception, attempts: int, since: float) -> frozenset[Partition]:
        """Make a dead letter of a record, unless its type's policy is to stop, or not even that can be done."""
        self.tally.culprits += 1
        [record] = batch.records
        envelope = envelope_of(record)
        policy = DEFAULT_POLICY if envelope is None else self._policies.get(envelope.type, DEFAULT_POLICY)
        # Its message could tell what is in the record, and that may be personal.
        logger.error("%s fails, attempts=%d: %s", name_of(record), attempts, describe(error))
        logger.error("the culprit's error: %s", trace(error))
        if policy is Policy.STOP:
            return self._stop(batch, f"{name_of(record)} cannot be applied: {describe(error)}")
        culprit = Culprit(
            detail=f"{describe(error)}{origin(error)}",
            attempts=attempts,
            failing_seconds=monotonic() - since,
            parks=policy is Policy.PARK,
        )
        refused = await self._apply_patiently(batch, culprit)
        if refused is None:
            return frozenset()
        if not isinstance(refused, HaltError):
            logger.error("no dead letter can be made of it: %s", trace(refused))
        why = refused if isinstance(refused, HaltError) else f"no dead letter can be made of it: {describe(refused)}"
        return self._stop(batch, f"{name_of(record)} cannot be applied: {describe(error)}; {why}")

    def _waits(self) -> Iterator[float]:
        return jittered_seconds(first_seconds=self._backoff_seconds, most_seconds=self._backoff_most_seconds)

    async def _apply_patiently(self, batch: Batch, culprit: Culprit | None = None) -> Exception | None:
        """Apply until it is done, the batch is no longer ours, or an error says that the records are at fault."""
        with Trouble(self.tally) as trouble:
            return await self._apply_until_done(batch, culprit, trouble)

    async def _apply_until_done(self, batch: Batch, culprit: Culprit | None, trouble: Trouble) -> Exception | None:
        waits = self._waits()
        clashes, since, suspicion = 0, monotonic(), Suspicion(attempts=self._halving_attempts)
        while self._source.is_current(batch):
            try:
                counts = await self._processor.apply(batch, culprit)
            except FencedError as fenced:
                logger.warning("batch dropped: %s", fenced)
                self.tally.fenced += 1
                self._source.read_again(batch)
                return None
            except RivalError as rival:
                logger.info("deciding again: %s", rival)
                self.tally.rivals += 1
                continue
            except Exception as error:
                failure = classify(error)
                if failure is Failure.CLASH:
                    clashes += 1
                    if clashes == 1:
                        self.tally.retries[failure] += 1
                        continue
                if failure in {Failure.CLASH, Failure.UNEXPECTED}:
                    return error
                if failure is Failure.HALF_DEPLOYED and monotonic() - since > self._deploy_seconds:
                    raise HalfDeployedError(error) from error
                said = describe(error)
                if trouble.meet(failure, said):
                    logger.warning("%s failure, the same records again: %s", failure, said)
                # What makes a dead letter touches too little to be at fault.
                suspected = suspicion.meet(error) and culprit is None
                if await self._is_to_end(batch, waits, suspicion if suspected else None):
                    return None
                if suspicion.blames:
                    logger.warning("the database answers, but fails with these records: %s", said)
                    return error
            else:
                if trouble:
                    logger.warning("going on after %.1f s", monotonic() - since)
                self._on_applied(counts)
                return None
        return None

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

    def _stop(self, batch: Batch, why: str) -> frozenset[Partition]:
        [record] = batch.records
        partition = partition_of(record)
        self._source.stop_partition(partition, why, batch.begins[partition])
        return frozenset({partition})
