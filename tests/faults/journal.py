"""What was done to a run, and the evidence that it really happened."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One fault.

    Args:
        fault: what kind, in words that the matrix of the docs shows, such as `consumer killed`.
        at_seconds: since the scenario began.
        breaks: how many crashes or broken connections of a relay it was; each may repeat a page.
        evidence: what shows that it happened: an exit code, how much was under way, what a proxy saw.
        is_fault: or else what came of one, such as how long it took.
    """

    fault: str
    at_seconds: float
    breaks: int
    evidence: dict[str, Any] = field(default_factory=dict)
    is_fault: bool = True


class Journal:
    """Keeps the faults of a scenario, and writes each down as it happens.

    Args:
        path: takes a line of JSON for each.
    """

    def __init__(self, path: Path) -> None:
        self.entries: list[Entry] = []
        self._path = path
        self._began = monotonic()

    def note(self, fault: str, *, breaks: int = 0, **evidence: Any) -> None:
        """Note a fault, once it has happened.

        Args:
            fault: what kind.
            breaks: of a relay's process or connections.
            evidence: that it happened; plain data.
        """
        at_seconds = round(monotonic() - self._began, 3)
        self._keep(Entry(fault=fault, at_seconds=at_seconds, breaks=breaks, evidence=evidence))

    def remark(self, what: str, **evidence: Any) -> None:
        """Note what came of a fault; it does not count as one."""
        at_seconds = round(monotonic() - self._began, 3)
        self._keep(Entry(fault=what, at_seconds=at_seconds, breaks=0, evidence=evidence, is_fault=False))

    def _keep(self, entry: Entry) -> None:
        self.entries.append(entry)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(entry), default=str) + "\n")

    @property
    def breaks(self) -> int:
        """How many crashes or broken connections of relays there were."""
        return sum(entry.breaks for entry in self.entries)

    @property
    def counts(self) -> Counter[str]:
        """How many faults of each kind there were."""
        return Counter(entry.fault for entry in self.entries if entry.is_fault)

    def __str__(self) -> str:
        return "\n".join(f"{each.at_seconds:8.3f} s  {each.fault}  {each.evidence}" for each in self.entries)
