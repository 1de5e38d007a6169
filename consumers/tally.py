"""What became of a consumer's batches, but for what was in them: plain numbers for whoever shows them."""

from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple, Self

from db.errors import Failure


class LastError(NamedTuple):
    """What was met last that is waited out.

    Args:
        at: when.
        said: what, without anything that a record says.
    """

    at: datetime
    said: str


class Tally:
    """Counts since the process began.

    Attributes:
        troubles: how often a batch began to fail in a way that is waited out; not how often it was tried meanwhile.
        retries: how often a batch was tried again; a record that fails alone counts as unexpected.
        waiting: batches that are waited for at this moment.
        fenced: batches dropped because they did not begin at the checkpoint.
        rivals: batches decided again because another consumer was faster.
        bisections: batches that were cut in two to find a culprit.
        culprits: records that fail alone.
        last_error: what began a state that is waited out, the last time.
    """

    def __init__(self) -> None:
        self.troubles: Counter[Failure] = Counter()
        self.retries: Counter[Failure] = Counter()
        self.waiting: Counter[Failure] = Counter()
        self.fenced = 0
        self.rivals = 0
        self.bisections = 0
        self.culprits = 0
        self.last_error: LastError | None = None


class Trouble:
    """What a batch waits for, if anything, until it comes to an end one way or the other."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._failure: Failure | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._change(None)

    def __bool__(self) -> bool:
        return self._failure is not None

    def meet(self, failure: Failure, said: str = "") -> bool:
        """Note that the batch failed and is to be tried again; give whether that is news.

        Args:
            failure: of which kind.
            said: what the error says, without anything that a record says.
        """
        self._tally.retries[failure] += 1
        if failure is self._failure:
            return False
        self._tally.troubles[failure] += 1
        self._tally.last_error = LastError(datetime.now(UTC), f"{failure}: {said}")
        self._change(failure)
        return True

    def _change(self, failure: Failure | None) -> None:
        if self._failure is not None:
            self._tally.waiting[self._failure] -= 1
        if failure is not None:
            self._tally.waiting[failure] += 1
        self._failure = failure
