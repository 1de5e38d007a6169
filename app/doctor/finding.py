"""What a check found."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARN = "warn"
    """The service runs, but not as it could, or not for long."""
    FAIL = "fail"
    """The service does not run, loses something, or will stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's result.

    Args:
        name: of the check, by which documents and scripts know it.
        verdict: how serious it is.
        found: what was seen.
        advice: what to do; empty when it is ok.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""

    def as_object(self) -> dict[str, str]:
        """Give it as JSON has it."""
        return asdict(self)


def passed(name: str, found: str) -> Finding:
    """Give a finding that is ok."""
    return Finding(name=name, verdict=Verdict.OK, found=found)


def warned(name: str, found: str, advice: str) -> Finding:
    """Give a finding that a person should see to."""
    return Finding(name=name, verdict=Verdict.WARN, found=found, advice=advice)


def failed(name: str, found: str, advice: str) -> Finding:
    """Give a finding that has to be put right."""
    return Finding(name=name, verdict=Verdict.FAIL, found=found, advice=advice)
