"""What is done when a batch fails: the failure table (docs/architecture.md, "Failures"), in one place.

| what went wrong | what happens |
|---|---|
| the batch does not begin at the checkpoint | dropped; its partitions are read again from their checkpoints |
| a partition was taken away | dropped; the checkpoint decides |
| transient | the same records again, for as long as it takes |
| a rival was faster | the same records again, once; then bisected |
| code and schema do not fit | the same records again for a while; then the process stops |
| anything else | bisected; the culprit's partition is stopped in front of it |
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from consumers.checkpoints import FencedError
from consumers.inbox import RivalError
from consumers.records import Batch, Partition, Record, partition_of
from consumers.tally import Tally, Trouble
from db.describing import describe, trace
from db.errors import Failure, classify
from db.waiting import jittered_seconds, wait_for
from messages import codec
from messages.refusals import RefusedError

logger = logging.getLogger("squad.consumer")


class HalfDeployedError(RuntimeError):
    """The database lacks a table, column or partition that this release needs."""


class Applies(Protocol):
    """What applies a batch in one transaction."""

    async def apply(self, batch: Batch) -> Counter[str]: ...


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
        backoff_seconds, backoff_most_seconds: of the attempts after transient failures.
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
    ) -> None:
        self._processor = processor
        self._source = source
        self._on_applied = on_applied
        self._stopping = stopping or asyncio.Event()
        self._deploy_seconds = deploy_seconds
        self._backoff_seconds = backoff_seconds
        self._backoff_most_seconds = backoff_most_seconds
        self.tally = Tally()

    async def settle(self, batch: Batch) -> frozenset[Partition]:
        """Apply a batch, however long it takes.

        Returns:
            The partitions that had to be stopped.

        Raises:
            HalfDeployedError: the schema did not come to fit in time.
        """
        with Trouble(self.tally) as trouble:
            error = await self._apply_patiently(batch, trouble)
        if error is None:
            return frozenset()
        if len(batch.records) == 1:
            return self._stop(batch, error)
        self.tally.bisections += 1
        left, right = batch.halves()
        stopped = await self.settle(left)
        rest = right.without(stopped)
        if rest.records and self._source.is_current(rest):
            stopped |= await self.settle(rest)
        return stopped

    async def _apply_patiently(self, batch: Batch, trouble: Trouble) -> Exception | None:
        """Apply until it is done, the batch is no longer ours, or an error says that the records are at fault."""
        waits = jittered_seconds(first_seconds=self._backoff_seconds, most_seconds=self._backoff_most_seconds)
        clashes, since = 0, monotonic()
        while self._source.is_current(batch):
            try:
                counts = await self._processor.apply(batch)
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
                        continue
                if failure in {Failure.CLASH, Failure.UNEXPECTED}:
                    return error
                if failure is Failure.HALF_DEPLOYED and monotonic() - since > self._deploy_seconds:
                    raise HalfDeployedError(
                        f"schema or rights do not fit this release (`squad migrate`?): {describe(error)}"
                    ) from error
                said = describe(error)
                if trouble.meet(failure, said):
                    logger.warning("%s failure, the same records again: %s", failure, said)
                if await wait_for(self._stopping, next(waits)):
                    logger.warning("batch left to whoever reads it next: the process is to end")
                    return None
            else:
                if trouble:
                    logger.warning("going on after %.1f s", monotonic() - since)
                self._on_applied(counts)
                return None
        return None

    def _stop(self, batch: Batch, error: Exception) -> frozenset[Partition]:
        self.tally.culprits += 1
        [record] = batch.records
        partition = partition_of(record)
        self._source.stop_partition(
            partition,
            f"the record at offset {record.offset} ({_name(record)}) cannot be applied: {describe(error)}",
            batch.begins[partition],
        )
        # Its message could tell what is in the record, and that may be personal.
        logger.error("the culprit's error: %s", trace(error))
        return frozenset({partition})


def _name(record: Record) -> str:
    """Say which command a record is, by its attributes; they are not personal."""
    try:
        envelope, _, _ = codec.read(record.headers, record.value, codec.Limits())
    except RefusedError:
        return "type unknown, id unknown"
    return f"type {envelope.type}, id {envelope.id}"
