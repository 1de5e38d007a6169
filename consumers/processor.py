"""One batch, one transaction: the only place where commands change the database."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from sqlalchemy.ext.asyncio import AsyncSession

from consumers import checkpoints, dead_letters, inbox
from consumers.decide import Decisions, declare_reads
from consumers.decode import Decoder, Incoming
from consumers.records import Batch
from consumers.results import Results, Topics
from db.database import Database
from db.distribution import ROWS, SECONDS, Distribution
from db.load import load_state
from db.sweep import carry_out, is_concerned
from db.write import write_state
from domain.sweeps import Sweep


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
    """

    def __init__(self, *, database: Database, group: str, topics: Topics, decoder: Decoder) -> None:
        self._database = database
        self._group = group
        self._topics = topics
        self._decoder = decoder
        self.phase_seconds: Counter[str] = Counter()
        self.batch_seconds = Distribution(SECONDS)
        self.batch_records = Distribution(ROWS)
        """Of the batches that were committed."""

    async def apply(self, batch: Batch) -> Counter[str]:
        """Apply a batch: all of its records, or none.

        Returns:
            How many were applied, rejected (by code), duplicates, dead letters (by reason); events and outcomes.

        Raises:
            checkpoints.FencedError: the batch does not begin at the checkpoint: drop it.
            inbox.RivalError: another consumer decided one of its commands meanwhile: apply it again.
            Exception: what the database said (`db.errors.classify`). After a failed COMMIT the batch may be applied;
                applying it again then raises `FencedError`.
        """
        began, stopwatch = perf_counter(), Stopwatch(self.phase_seconds)
        incoming = self._decoder.decode(batch.records)
        stopwatch.done("decode")
        async with self._database.transaction() as session:
            decisions = await self._decide(session, batch, incoming, stopwatch)
            await self._write(session, batch, decisions, stopwatch)
        stopwatch.done("commit")
        self.batch_seconds.note(perf_counter() - began)
        self.batch_records.note(len(batch.records))
        return decisions.results.counts

    async def _decide(
        self, session: AsyncSession, batch: Batch, incoming: Sequence[Incoming], stopwatch: Stopwatch
    ) -> Decisions:
        began_at = await checkpoints.lock_and_compare(session, self._group, batch.begins)
        identities = {each.identity for each in incoming if each.identity is not None}
        known, floor_microseconds = await inbox.find(session, identities)
        stopwatch.done("checkpoint and known ids")
        state = await load_state(session, declare_reads(incoming, known))
        stopwatch.done("load")
        decisions = Decisions(Results(self._topics, known), state, began_at, floor_microseconds)
        for each in incoming:
            sweep = decisions.decide(each)
            if sweep is not None:
                stopwatch.done("decide and encode")
                await _end_segment(session, decisions, each, sweep)
                stopwatch.done("sweep")
        stopwatch.done("decide and encode")
        return decisions

    async def _write(self, session: AsyncSession, batch: Batch, decisions: Decisions, stopwatch: Stopwatch) -> None:
        results = decisions.results
        await inbox.insert(session, results.inbox)
        await dead_letters.insert(session, results.letters)
        stopwatch.done("inbox")
        await write_state(session, decisions.state)
        stopwatch.done("state")
        await results.outbox.write(session)
        stopwatch.done("outbox")
        await checkpoints.advance(session, self._group, batch.last_records())
        stopwatch.done("advance")


async def _end_segment(session: AsyncSession, decisions: Decisions, asking: Incoming, sweep: Sweep) -> None:
    """Carry out a sweep between two runs of commands that are decided in memory.

    It has to see what was decided before it, and what is decided after it has to see what it changed. Roots stay locked
    from the start; inbox, outbox and checkpoints are written once, at the end of the batch.
    """
    if is_concerned(sweep, decisions.state):
        await write_state(session, decisions.state)
    decisions.tell(asking, await carry_out(session, sweep, decisions.state))
