"""What a demonstration is asked to do, and what it found."""

from dataclasses import dataclass
from typing import Final

from app.demo.latency import Latency
from checker.judge import Verdict
from checker.tally import Tally

COMMANDS: Final = 20_000
EMBEDDED_COMMANDS: Final = 2_000
"""What is sent where nothing else was asked for; a mock of Kafka forgets what is much more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a demonstration is to do.

    Args:
        commands: how many records are sent before the latency is measured; absent: as the servers can take.
        seed: of every choice.
        rate: commands per second while the latency is measured.
        latency_seconds: for how long.
    """

    commands: int | None = None
    seed: int = 1
    rate: float = 200
    latency_seconds: float = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the commands took, apart from those that measured the latency.

    Args:
        sending_seconds: from the first send to the broker's last acknowledgement.
        deciding_seconds: from the first send until all were decided and committed.
        readable: of the commands, how many could be read as such.
    """

    sending_seconds: float
    deciding_seconds: float
    readable: int

    @property
    def commands_per_second(self) -> float:
        """Readable commands decided, by the time from the first send until all were."""
        return self.readable / self.deciding_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a demonstration found."""

    times: Times
    latency: Latency
    tally: Tally
    verdict: Verdict
