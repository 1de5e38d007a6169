"""What is asked of a redrive, how each of its transactions goes about it, and what that comes to."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.culprits import Culprit
from consumers.decode import Incoming
from consumers.letter_filter import LetterState
from consumers.letter_locks import Act
from domain.values import Id
from messages.refusals import Reason


class RefusedAgainError(Exception):
    """A dead letter's own record still cannot be applied.

    Args:
        reason, detail: what is wrong with it now.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator wants of a dead letter.

    Args:
        act: redrive or discard.
        reason: why, for the audit.
        max_replays: how often it may have been redriven in vain.
    """

    act: Act
    reason: str
    max_replays: int


@dataclass(slots=True, kw_only=True)
class Attempt:
    """How a transaction is to go about it, and how far it came, should it fail.

    Args:
        most: records that it takes at most.
        culprit: given where its only record has failed often enough: that becomes a dead letter.
        audited: whether the act is noted already.
        closes: whether to go on until nothing waits any more: nobody can park in what the transaction has locked.
        loaded: how many records it took; known as soon as it can fail because of one.
        own: whether the letter's own record is among them.
        type_name: of the last one that waited, where it can be read.
    """

    most: int
    culprit: Culprit | None = None
    audited: bool = False
    closes: bool = False
    loaded: int = 0
    own: bool = False
    type_name: str | None = None

    def note(self, planned: Sequence[Incoming]) -> None:
        """Say which records that waited are to be decided, before anything of them is loaded."""
        self.loaded = len(planned) + self.own
        self.type_name = planned[-1].envelope.type if planned and planned[-1].envelope else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a committed transaction did.

    Args:
        decided: how many records.
        left: rows that still wait behind the letter.
        streams_left: streams that do.
        became_letters: ids of further dead letters, of records that waited.
        state: of the letter now.
    """

    decided: int
    left: int
    streams_left: int
    became_letters: Sequence[Id]
    state: LetterState

    def then(self, further: "Progress") -> "Progress":
        """Give the same with what was done besides, afterwards."""
        return Progress(
            decided=self.decided + further.decided,
            left=further.left,
            streams_left=further.streams_left,
            became_letters=[*self.became_letters, *further.became_letters],
            state=further.state,
        )
