"""Stops a flood of dead letters: so many in a row, or among the last records, are no single record's fault.

Whoever decides a batch asks before anything of it is written. What could not be decided because the schema does not fit
never comes so far, and is not counted.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from consumers.halting import HaltError
from consumers.records import Partition, Record, partition_of
from db.controls import BREAKER, Control

_RESET: Final = "`squad breaker reset` or a restart lets it go on"


class BreakerOpenError(HaltError):
    """One dead letter more would be over a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When it is a flood.

    Args:
        in_a_row: so many dead letters in a row are let through, and no more; 0: any number.
        share: of the last `among` records, more than this part are a flood; 0: any part is let through.
        among: how many records that is; before so many were decided, the share is not looked at.
    """

    in_a_row: int = 20
    share: float = 0.5
    among: int = 200


OVERALL: Final = BreakerLimits(in_a_row=100, share=0.5, among=1000)
"""Of all partitions together: as many as five floods, so that one alone leaves the others going."""


class Step(NamedTuple):
    """What came in a row in a partition: so many records that became no dead letters, and then perhaps one that did."""

    partition: Partition
    good: int
    is_letter: bool


@dataclass(slots=True)
class Flow:
    """How many of the last records became dead letters."""

    decided: int = 0
    in_a_row: int = 0
    places: deque[int] = field(default_factory=deque)
    """Of those dead letters that may still count, in the order of decisions."""

    def add(self, step: Step, limits: BreakerLimits) -> None:
        """Count a step."""
        if step.good:
            self.decided += step.good
            self.in_a_row = 0
        if step.is_letter:
            self.places.append(self.decided)
            self.decided += 1
            self.in_a_row += 1
        while self.places and self.places[0] <= self.decided - limits.among:
            self.places.popleft()

    def object(self, limits: BreakerLimits) -> str | None:
        """Say why one dead letter more would be too many, if it would."""
        if limits.in_a_row and self.in_a_row >= limits.in_a_row:
            return f"the last {self.in_a_row} records in a row became dead letters"
        if limits.share and self.decided + 1 >= limits.among:
            recent = sum(place > self.decided - limits.among for place in self.places)
            if recent + 1 > limits.share * limits.among:
                return f"{recent} of the last {limits.among - 1} records became dead letters"
        return None

    def copy(self) -> "Flow":
        """Give one to go on counting in, for trial."""
        return Flow(self.decided, self.in_a_row, self.places.copy())


class Breaker:
    """Lets dead letters through up to the limits, each partition's and those of all partitions together.

    Open for a partition means that it has to be stopped; for all, that each is with its next dead letter.

    Args:
        limits: of a partition.
        overall: of all that this process reads.
    """

    def __init__(self, *, limits: BreakerLimits | None = None, overall: BreakerLimits | None = None) -> None:
        self._limits = limits or BreakerLimits()
        self._overall_limits = overall or OVERALL
        self._reset_at: datetime | None = None
        self._has_heard = False
        self._flows: dict[Partition, Flow] = {}
        self._overall = Flow()
        self._under_way: list[Sequence[Step]] = []
        self._open: dict[Partition, str] = {}
        self._open_overall: str | None = None

    @property
    def open_for(self) -> Mapping[Partition, str]:
        """The partitions that had to be stopped, and why."""
        return self._open

    @property
    def open_overall(self) -> str | None:
        """Why it is open for all partitions, if it is."""
        return self._open_overall

    def describe(self) -> dict[str, Any]:
        """Give its state as JSON has it; of partitions those whose last record became a dead letter."""
        rows = {str(each): flow.in_a_row for each, flow in self._flows.items() if flow.in_a_row}
        return {
            "open": {str(each): why for each, why in self._open.items()},
            "overall": self._open_overall,
            "in_a_row": rows,
        }

    @contextmanager
    def admitting(
        self, records: Sequence[Record], letters: Collection[Record], passed_over: Collection[Record] = ()
    ) -> Iterator[None]:
        """Count a batch, if the block that writes it comes to its end.

        After a COMMIT with an unknown result nothing is counted, although it may be there.

        Args:
            records: of the batch, in order.
            letters: those that are to become dead letters.
            passed_over: those that say nothing: decided before, or parked.

        Raises:
            BreakerOpenError: they would be too many.
        """
        steps = _steps(records, letters, passed_over)
        if letters:
            self._check(steps, is_alone=len(records) == 1)
        self._under_way.append(steps)
        try:
            yield
        finally:
            self._under_way = [each for each in self._under_way if each is not steps]
        self._note(steps, self._flows, self._overall)

    def obey(self, controls: Sequence[Control]) -> Collection[Partition]:
        """Begin anew, if an operator has asked for it since the last time that the controls were read.

        Returns:
            The partitions that may go on because of it.
        """
        asked_at = next((each.at for each in controls if each.target == BREAKER), None)
        is_news = self._has_heard and asked_at is not None and asked_at != self._reset_at
        self._has_heard, self._reset_at = True, asked_at
        return self.reset() if is_news else ()

    def reset(self) -> Collection[Partition]:
        """Forget everything.

        Returns:
            The partitions that may go on because of it.
        """
        released = list(self._open)
        self._flows, self._overall, self._open, self._open_overall = {}, Flow(), {}, None
        return released

    def _check(self, steps: Sequence[Step], *, is_alone: bool) -> None:
        """Count on trial, behind what other lanes have under way."""
        flows = {step.partition: self._flow(step.partition).copy() for step in steps}
        overall = self._overall.copy()
        for others in self._under_way:
            self._note(others, {}, overall)
        for step in steps:
            self._note([step._replace(is_letter=False)], flows, overall)
            if step.is_letter:
                self._object(step.partition, flows[step.partition], overall, is_alone=is_alone)
                self._note([step._replace(good=0)], flows, overall)

    def _object(self, partition: Partition, flow: Flow, overall: Flow, *, is_alone: bool) -> None:
        """Raise what speaks against a dead letter; only for one that is alone it is final, a batch is halved first."""
        own, of_all = flow.object(self._limits), self._open_overall or overall.object(self._overall_limits)
        why = self._open.get(partition) or own or (of_all and f"{of_all}, in all partitions of this process together")
        if why is None:
            return
        if is_alone:
            self._open[partition] = why
            if own is None:
                self._open_overall = of_all
        raise BreakerOpenError(f"the breaker is open: {why}; {_RESET}")

    def _note(self, steps: Sequence[Step], flows: dict[Partition, Flow], overall: Flow) -> None:
        for step in steps:
            flows.setdefault(step.partition, Flow()).add(step, self._limits)
            overall.add(step, self._overall_limits)

    def _flow(self, partition: Partition) -> Flow:
        return self._flows.get(partition) or Flow()


def _steps(records: Sequence[Record], letters: Collection[Record], passed_over: Collection[Record]) -> list[Step]:
    if not letters and not passed_over:
        return [
            Step(partition, count, is_letter=False) for partition, count in Counter(map(partition_of, records)).items()
        ]
    bad, ignored = set(map(id, letters)), set(map(id, passed_over))
    return [
        Step(partition_of(record), int(id(record) not in bad), is_letter=id(record) in bad)
        for record in records
        if id(record) not in ignored
    ]
