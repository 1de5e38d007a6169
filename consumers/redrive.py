"""Redriving and discarding a dead letter, with whatever waits behind it: transaction after transaction, to the end.

A kill between two of them leaves the letter `redriving` (or `discarded`) and the rest parked: doing it again goes on.
What fails is halved until it is alone, as everywhere; alone, it fails so often before it is given up. Then the letter
itself stays open, or a record that waited becomes a dead letter, behind which the rest of its streams waits on.

Consumers may park meanwhile. So that it ends, however fast they do, the last transaction takes all that waits: it holds
the locks without which nobody parks, and the limits on what may be parked bound it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers import letter_locks, queues
from consumers.culprits import DEFAULT_POLICY, Culprit, Policy
from consumers.inbox import RivalError
from consumers.letter_filter import LetterState
from consumers.letter_locks import LetterError, SettledError
from consumers.letter_search import NoLetterError
from consumers.redrive_orders import Attempt, Order, Progress, RefusedAgainError
from consumers.redrive_step import Step
from db.database import Database
from db.describing import describe, origin, trace
from db.errors import Failure, classify
from db.waiting import jittered_seconds
from domain.values import Id
from messages.refusals import Reason

logger = logging.getLogger("squad.redrive")

_STAY: Final = text("SELECT 1")


@dataclass(slots=True, kw_only=True)
class Ending:
    """What became of a dead letter and of what waited behind it.

    Args:
        letter_id: of the dead letter.
        state: of it now.
        decided: how many records were decided, its own among them.
        left: rows that still wait behind it.
        became_letters: records that waited and are dead letters now.
        failed: why it still cannot be applied, if so.
    """

    letter_id: Id
    state: LetterState = LetterState.OPEN
    decided: int = 0
    left: int = 0
    became_letters: list[Id] = field(default_factory=list)
    failed: str | None = None

    def add(self, progress: Progress) -> None:
        """Count what a transaction did."""
        self.state, self.left = progress.state, progress.left
        self.decided += progress.decided
        self.became_letters += progress.became_letters


@dataclass(slots=True)
class _Waited:
    """What waited when the first transaction was committed, and is not decided yet; what came later does not count."""

    rows: int | None = None

    def note(self, progress: Progress) -> None:
        """Count what a transaction did."""
        self.rows = progress.left if self.rows is None else self.rows - progress.decided

    @property
    def is_done(self) -> bool:
        return self.rows is not None and self.rows <= 0


class Redriver:
    """Redrives and discards dead letters.

    Args:
        database: with two connections at least; one holds the claim.
        step: carries out one transaction.
        max_records: of one transaction.
        attempts: how often a record that fails is tried alone.
        policies: what is done, by type, when a record that waited fails; `stop` counts as `park` here.
        patience_seconds: for how long transient failures are met by trying again.
        backoff_seconds, backoff_most_seconds: of these attempts, and of a culprit's.
    """

    def __init__(
        self,
        *,
        database: Database,
        step: Step,
        max_records: int = 2000,
        attempts: int = 3,
        policies: Mapping[str, Policy] | None = None,
        patience_seconds: float = 60,
        backoff_seconds: float = 0.1,
        backoff_most_seconds: float = 5,
    ) -> None:
        self._database = database
        self._step = step
        self._max_records = max_records
        self._attempts = attempts
        self._policies = policies or {}
        self._patience_seconds = patience_seconds
        self._backoff_seconds = backoff_seconds
        self._backoff_most_seconds = backoff_most_seconds

    async def settle(self, letter_id: Id, order: Order, on_step: Callable[[Ending], None] = lambda _: None) -> Ending:
        """Redrive or discard a dead letter, and all that waits behind it, as far as it can be done.

        Args:
            letter_id: of the dead letter.
            order: what is wanted.
            on_step: told after each transaction how far it is.

        Raises:
            NoLetterError: there is none of this id.
            LetterError: it may not be done, or not now; what was done before stays done.
            Exception: what the database said, for longer than the patience lasts.
        """
        ending, attempt, tries, since = Ending(letter_id=letter_id), Attempt(most=self._max_records), 0, monotonic()
        waits, waited = self._waits(), _Waited()
        async with letter_locks.claimed(self._database, letter_id) as claim:
            while True:
                await claim.execute(_STAY)
                came_to = await self._take(letter_id, order, attempt, claim)
                if isinstance(came_to, Progress):
                    ending.add(came_to)
                    on_step(ending)
                    if not came_to.streams_left:
                        return ending
                    waited.note(came_to)
                    attempt, tries, waits = self._next(attempt, waited), 0, self._waits()
                elif isinstance(came_to, RefusedAgainError):
                    return await self._fail(ending, order, came_to, attempts=1)
                elif attempt.loaded > 1 or attempt.closes:
                    fewer = max(1, attempt.loaded // 2)
                    attempt, since = Attempt(most=fewer, audited=attempt.audited), monotonic()
                elif attempt.culprit is not None or not attempt.loaded:
                    raise came_to
                elif (tries := tries + 1) < self._attempts:
                    await asyncio.sleep(next(waits))
                elif attempt.own:
                    refused = RefusedAgainError(Reason.UNEXPECTED, f"{describe(came_to)}{origin(came_to)}")
                    return await self._fail(ending, order, refused, attempts=tries)
                else:
                    attempt = self._give_up(attempt, came_to, tries, monotonic() - since)

    async def _take(self, letter_id: Id, order: Order, attempt: Attempt, claim: AsyncSession) -> Progress | Exception:
        """Carry out one transaction, patiently; what speaks against its records is given back."""
        waits, until, troubled, clashes = self._waits(), monotonic() + self._patience_seconds, False, 0
        while True:
            try:
                async with self._database.transaction() as session:
                    progress = await self._step.take(session, letter_id, order, attempt)
                    while attempt.closes and progress.streams_left:
                        await claim.execute(_STAY)
                        progress = progress.then(await self._step.take(session, letter_id, order, attempt))
                    return progress
            except RefusedAgainError as refused:
                return refused
            except SettledError as settled:
                if not troubled:
                    raise
                # The commit whose answer was lost had been done.
                return Progress(decided=0, left=0, streams_left=0, became_letters=(), state=settled.state)
            except (LetterError, NoLetterError):
                raise
            except Exception as error:
                failure = classify(error)
                clashes += failure is Failure.CLASH
                rival = isinstance(error, RivalError) or (failure is Failure.CLASH and clashes == 1)
                if not rival and failure in {Failure.CLASH, Failure.UNEXPECTED}:
                    logger.info("trying fewer records: %s", trace(error))
                    return error
                if failure is Failure.HALF_DEPLOYED or monotonic() > until:
                    raise
                troubled = True
            await asyncio.sleep(next(waits))

    async def _fail(self, ending: Ending, order: Order, refused: RefusedAgainError, *, attempts: int) -> Ending:
        """Leave the letter open, with what is wrong with it now."""
        ending.failed = refused.detail
        async with self._database.transaction() as session:
            letter = await letter_locks.lock(session, ending.letter_id)
            detail = refused.detail if refused.reason == letter.reason else f"{refused.reason}: {refused.detail}"
            await letter_locks.note_failure(session, letter.id, detail=detail, attempts=attempts)
            ending.left = await queues.count(session, letter.id)
            after = {"state": letter.state, "reason": refused.reason, "replay_count": letter.replay_count + 1}
            await letter_locks.note_act(session, letter, order.act, reason=order.reason, after=after)
        return ending

    def _give_up(self, attempt: Attempt, error: Exception, attempts: int, failing_seconds: float) -> Attempt:
        """Let the record that waited become a dead letter, by the policy of its type."""
        logger.error("a parked record fails, attempts=%d: %s", attempts, describe(error))
        policy = self._policies.get(attempt.type_name or "", DEFAULT_POLICY)
        culprit = Culprit(
            detail=f"{describe(error)}{origin(error)}",
            attempts=attempts,
            failing_seconds=failing_seconds,
            parks=policy is not Policy.CONTINUE,
        )
        return Attempt(most=1, culprit=culprit, audited=attempt.audited)

    def _next(self, attempt: Attempt, waited: _Waited) -> Attempt:
        """Say how the next transaction goes about it: where fewer records were tried, carefully more again.

        Once all that waited at first is decided, and more were parked meanwhile, it lets nobody park until nothing
        waits: consumers may park as fast as this goes, and would keep it going for ever.
        """
        most = min(attempt.most * 2, self._max_records)
        return Attempt(most=most, audited=True, closes=waited.is_done and most == self._max_records)

    def _waits(self) -> Iterator[float]:
        return jittered_seconds(first_seconds=self._backoff_seconds, most_seconds=self._backoff_most_seconds)
