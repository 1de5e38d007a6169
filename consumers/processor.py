"""One batch, one transaction: the only place where commands change the database."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers import checkpoints, dead_letters, inbox, parking
from consumers.breaker import Breaker
from consumers.culprits import Culprit
from consumers.decide import Decisions, declare_reads
from consumers.decode import Decoder, Incoming
from consumers.outgoing import Topics
from consumers.parking import Parking, ParkingLimits
from consumers.records import Batch
from consumers.results import Results
from db.database import Database
from db.distribution import ROWS, SECONDS, Distribution
from db.load import load_state, lock_roots
from db.sweep import carry_out, is_concerned
from db.write import write_state
from domain.sweeps import Sweep

# Crash recovery drops the server's statistics, so they begin anew (PostgreSQL documentation, 27.2).
_PROBE: Final = text("SELECT stats_reset FROM pg_stat_bgwriter")


@dataclass(slots=True)
class Stopwatch:
    """Adds the seconds that the phases of one batch take to the sums of all batches, for whoever measures."""

    seconds: Counter[str]
    _since: float = field(default_factory=perf_counter)

    def done(self, phase: str) -> None:
        """End a phase; the next one begins."""
        now = perf_counter()
        self.seconds[phase] += now - self._since  # type: ignore[assignment] # a Counter counts fractions as well
        self._since = now


class Processor:
    """Applies batches of records.

    Args:
        database: where domain, inbox, outbox and checkpoints are.
        group: the consumer group whose checkpoints count.
        topics: where messages go.
        decoder: reads records.
        parking: how many records may wait behind dead letters.
        breaker: is asked before dead letters are written; none: nobody is.
    """

    def __init__(
        self,
        *,
        database: Database,
        group: str,
        topics: Topics,
        decoder: Decoder,
        parking: ParkingLimits | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._database = database
        self._group = group
        self._topics = topics
        self._decoder = decoder
        self._parking = parking or ParkingLimits()
        self._breaker = breaker
        self.phase_seconds: Counter[str] = Counter()
        self.batch_seconds = Distribution(SECONDS)
        self.batch_records = Distribution(ROWS)
        """Of the batches that were committed."""

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]:
        """Apply a batch: all of its records, or none.

        Args:
            batch: the records.
            culprit: given where the batch's only record has failed often enough: it becomes a dead letter.

        Returns:
            How many were applied, rejected (by code), duplicates, parked, dead letters (by reason), events, outcomes.

        Raises:
            HaltError: a record may not be applied: too many wait, or the breaker says so; alone, its partition stops.
            checkpoints.FencedError: the batch does not begin at the checkpoint: drop it.
            inbox.RivalError: another consumer decided one of its commands meanwhile: apply it again.
            Exception: what the database said (`db.errors.classify`). After a failed COMMIT the batch may be applied;
                applying it again then raises `FencedError`.
        """
        began, stopwatch = perf_counter(), Stopwatch(self.phase_seconds)
        incoming = self._decoder.decode(batch.records)
        stopwatch.done("decode")
        with ExitStack() as admitted:
            async with self._database.transaction() as session:
                decisions = await self._decide(session, batch, incoming, stopwatch, culprit)
                if self._breaker is not None:
                    # Until the transaction is over: what is rolled back counts for nothing.
                    letters = [letter.record for letter in decisions.results.letters]
                    undecided = decisions.results.undecided
                    admitted.enter_context(self._breaker.admitting(batch.records, letters, undecided))
                await self._write(session, batch, decisions, stopwatch)
        stopwatch.done("commit")
        self.batch_seconds.note(perf_counter() - began)
        self.batch_records.note(len(batch.records))
        return decisions.results.counts

    async def probe(self) -> datetime | None:
        """See whether the database answers, whatever it makes of batches.

        Returns:
            Since when it counts what it does: a crash has it begin anew.

        Raises:
            Exception: it does not answer.
        """
        async with self._database.transaction() as session:
            since: datetime | None = await session.scalar(_PROBE)
            return since

    async def _decide(
        self,
        session: AsyncSession,
        batch: Batch,
        incoming: Sequence[Incoming],
        stopwatch: Stopwatch,
        culprit: Culprit | None,
    ) -> Decisions:
        began_at = await checkpoints.lock_and_compare(session, self._group, batch.begins)
        identities = {each.identity for each in incoming if each.identity is not None}
        found = await inbox.find(session, identities)
        stopwatch.done("checkpoint and known ids")
        reads, parked = declare_reads(incoming, found.known), Parking(self._parking)
        streams = reads.streams_to_change()
        looked = await parking.look(session, streams) if found.any_parked else ()
        state = await load_state(session, reads) if culprit is None else await lock_roots(session, reads)
        await parked.lock(session, streams, looked)
        stopwatch.done("load")
        results = Results(self._topics, found.known)
        decisions = Decisions(results, state, began_at, found.floor_microseconds, parked, culprit)
        for each in incoming:
            sweep = decisions.decide(each)
            if sweep is not None:
                stopwatch.done("decide and encode")
                await end_segment(session, decisions, each, sweep)
                stopwatch.done("sweep")
        stopwatch.done("decide and encode")
        return decisions

    async def _write(self, session: AsyncSession, batch: Batch, decisions: Decisions, stopwatch: Stopwatch) -> None:
        results = decisions.results
        await inbox.insert(session, results.inbox)
        await dead_letters.insert(session, results.letters)
        await decisions.parking.write(session)
        stopwatch.done("inbox")
        await write_state(session, decisions.state)
        stopwatch.done("state")
        await results.outbox.write(session)
        stopwatch.done("outbox")
        await checkpoints.advance(session, self._group, batch.last_records())
        stopwatch.done("advance")


async def end_segment(session: AsyncSession, decisions: Decisions, asking: Incoming, sweep: Sweep) -> None:
    """Carry out a sweep between two runs of commands that are decided in memory.

    It has to see what was decided before it, and what is decided after it has to see what it changed. Roots stay locked
    from the start; inbox, outbox and checkpoints are written once, at the end of the batch.
    """
    if is_concerned(sweep, decisions.state):
        await write_state(session, decisions.state)
    decisions.tell(asking, await carry_out(session, sweep, decisions.state))
