"""What a producer recorded of each command: that it would send it, and what it then learnt.

A line is written for each step, so that the history of a producer that was killed shows what it did not learn.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TextIO


class Status(StrEnum):
    """What the producer knows of a command."""

    INVOKED = "invoke"
    OK = "ok"
    FAILED = "fail"
    UNKNOWN = "unknown"


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One record that a producer sent, or tried to.

    Args:
        producer: who sent it, where there are several.
        number: counts the producer's attempts, from 0.
        kind: what sort of command this is, in the producer's words.
        source, id: the command's; absent where nobody could read them.
        key: the record's key as text.
        expected: what should become of it, `applied`, `rejected:email-taken` or `dead-lettered:unreadable`; absent
            where the producer cannot know.
        intended_at: when it was meant to be sent, seconds since 1970, UTC.
        status: what the producer learnt.
        partition, offset: where the broker put it.
        error: why it failed, or why that is not known.
    """

    number: int
    kind: str
    source: str | None
    id: str | None
    key: str | None
    expected: str | None
    intended_at: float
    status: Status = Status.INVOKED
    partition: int | None = None
    offset: int | None = None
    error: str | None = None
    producer: str = ""

    def __str__(self) -> str:
        return f"attempt {self.producer or 'number'} {self.number}"


def key_text(key: bytes | None) -> str | None:
    """Give a record's key as a history keeps it."""
    return None if key is None else key.decode(errors="backslashreplace")


class History:
    """Keeps the attempts of one producer, and writes them down as they go.

    Args:
        file: takes a line of JSON for each step; none: kept in memory only.
        producer: its name, where there are several.
    """

    def __init__(self, file: TextIO | None = None, *, producer: str = "") -> None:
        self.attempts: list[Attempt] = []
        self._file = file
        self._producer = producer

    def invoke(
        self,
        *,
        kind: str,
        source: str | None,
        id: str | None,  # noqa: A002 - CloudEvents' name
        key: bytes | None,
        expected: str | None,
        intended_at: float,
    ) -> int:
        """Note that a command is about to be sent.

        Returns:
            The attempt's number, by which its end is noted.
        """
        attempt = Attempt(
            number=len(self.attempts),
            kind=kind,
            source=source,
            id=id,
            key=key_text(key),
            expected=expected,
            intended_at=intended_at,
            producer=self._producer,
        )
        self.attempts.append(attempt)
        self._write(asdict(attempt))
        return attempt.number

    def ok(self, number: int, partition: int, offset: int) -> None:
        """Note that the broker acknowledged it, and where."""
        self._conclude(number, status=Status.OK, partition=partition, offset=offset)

    def fail(self, number: int, error: str) -> None:
        """Note that the broker surely does not have it."""
        self._conclude(number, status=Status.FAILED, error=error)

    def unknown(self, number: int, error: str) -> None:
        """Note that the broker may or may not have it."""
        self._conclude(number, status=Status.UNKNOWN, error=error)

    def ends(self) -> dict[int, int]:
        """Give, by partition, the offset after the last record acknowledged."""
        ends: dict[int, int] = {}
        for attempt in self.attempts:
            if attempt.partition is not None and attempt.offset is not None:
                ends[attempt.partition] = max(ends.get(attempt.partition, 0), attempt.offset + 1)
        return ends

    def _conclude(self, number: int, **learnt: Any) -> None:  # noqa: ANN401 - fields of Attempt
        for name, value in learnt.items():
            setattr(self.attempts[number], name, value)
        self._write({"producer": self._producer, "number": number, **learnt})

    def _write(self, step: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(step, separators=(",", ":")) + "\n")


def read_history(lines: Iterable[str]) -> list[Attempt]:
    """Read attempts back from the lines of a history; one after the other, those of several producers too.

    A line that broke off in the middle is the last step of a producer that was killed, and says nothing.
    """
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for line in lines:
        step = _read_step(line)
        if step is not None:
            found.setdefault((step.get("producer", ""), step["number"]), {}).update(step)
    return [Attempt(**{**steps, "status": Status(steps["status"])}) for steps in found.values()]


def _read_step(line: str) -> dict[str, Any] | None:
    try:
        step: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return step
