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

from consumers.applying import Applier, Applies, Reads
from consumers.culprits import DEFAULT_POLICY, Culprit, Policy, envelope_of, name_of
from consumers.halting import HaltError
from consumers.records import Batch, Partition, partition_of
from consumers.tally import Tally
from db.describing import describe, origin, trace
from db.errors import Failure
from db.waiting import jittered_seconds, wait_for

logger = logging.getLogger("squad.consumer")


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
        self._source = source
        self._stopping = stopping or asyncio.Event()
        self._backoff_seconds = backoff_seconds
        self._backoff_most_seconds = backoff_most_seconds
        self._attempts = attempts
        self._policies = policies or {}
        self.tally = Tally()
        self._applier = Applier(
            processor=processor,
            source=source,
            tally=self.tally,
            on_applied=on_applied,
            stopping=self._stopping,
            deploy_seconds=deploy_seconds,
            waits=self._waits,
            probe=probe,
            halving_attempts=halving_attempts,
        )

    async def settle(self, batch: Batch) -> frozenset[Partition]:
        """Apply a batch, however long it takes.

        Returns:
            The partitions that had to be stopped.

        Raises:
            HalfDeployedError: the schema did not come to fit in time.
        """
        error = await self._applier.apply(batch)
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
                return self._stop(batch, f"{name_of(record)} is not applied: {error}", error)
            if attempts >= self._attempts:
                return await self._give_up(batch, error, attempts, since)
            if await wait_for(self._stopping, next(waits)):
                break
            attempts += 1
            self.tally.retries[Failure.UNEXPECTED] += 1
            error = await self._applier.apply(batch)
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
        refused = await self._applier.apply(batch, culprit)
        if refused is None:
            return frozenset()
        if not isinstance(refused, HaltError):
            logger.error("no dead letter can be made of it: %s", trace(refused))
        why = refused if isinstance(refused, HaltError) else f"no dead letter can be made of it: {describe(refused)}"
        return self._stop(batch, f"{name_of(record)} cannot be applied: {describe(error)}; {why}", refused)

    def _waits(self) -> Iterator[float]:
        return jittered_seconds(first_seconds=self._backoff_seconds, most_seconds=self._backoff_most_seconds)

    def _stop(self, batch: Batch, why: str, error: Exception | None = None) -> frozenset[Partition]:
        [record] = batch.records
        partition = partition_of(record)
        awaits = error.awaits if isinstance(error, HaltError) else ()
        self._source.stop_partition(partition, why, batch.begins[partition], awaits)
        return frozenset({partition})
