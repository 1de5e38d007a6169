"""One log line when something begins to fail and one when it is over; how often it is tried between is no news."""

import logging
from time import monotonic

from db.describing import describe
from db.errors import Failure, UnreachableError, classify


class HalfDeployedError(RuntimeError):
    """The database lacks a table, column, partition or right that this release needs.

    Args:
        error: what the database said.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"schema or rights do not fit this release (`squad migrate`?): {describe(error)}")


class DeployWait:
    """For how long a half-done deploy is waited for, since it was met.

    Args:
        seconds: at most.
    """

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self._since: float | None = None

    def meet(self, error: Exception) -> None:
        """Note that schema and release do not fit.

        Raises:
            HalfDeployedError: for as long as is waited for that.
        """
        if self._since is None:
            self._since = monotonic()
        elif monotonic() - self._since > self.seconds:
            raise HalfDeployedError(error) from error

    def end(self) -> None:
        """Note that they fit."""
        self._since = None


class Spell:
    """A stretch of time in which something fails, however often it is tried.

    Args:
        logger: who is told.
        what: what is told, such as `pruning postponed`.
        deploy_seconds: how long `bear` waits for a half-done deploy.
    """

    def __init__(self, logger: logging.Logger, what: str, *, deploy_seconds: float = 60) -> None:
        self._logger = logger
        self._what = what
        self._deploy = DeployWait(seconds=deploy_seconds)
        self._since: float | None = None

    def bear(self, error: Exception) -> bool:
        """Note that the database failed in a way that is waited out; give whether that is news.

        Raises:
            HalfDeployedError: schema and release have not fitted for as long as is waited for that.
            Exception: the error itself, which waiting does not cure.
        """
        match classify(error):
            case Failure.TRANSIENT:
                return self.meet(error)
            case Failure.HALF_DEPLOYED:
                self._deploy.meet(error)
                return self._note(error, f"trying for {self._deploy.seconds:g} s")
            case Failure.CLASH | Failure.UNEXPECTED:
                raise error

    def meet(self, error: BaseException) -> bool:
        """Note that it failed; give whether that is news."""
        return self._note(error, "trying for as long as it takes")

    def _note(self, error: BaseException, how: str) -> bool:
        is_news = self._since is None
        level = logging.WARNING if is_news else logging.DEBUG
        # Nobody has had any values yet then, and it says which address it was.
        said = repr(error) if isinstance(error, UnreachableError) else describe(error)
        self._logger.log(level, "%s, %s: %s", self._what, how, said)
        if self._since is None:
            self._since = monotonic()
        return is_news

    def end(self) -> None:
        """Note that it goes well."""
        if self._since is not None:
            self._logger.info("%s: over after %.1f s", self._what, monotonic() - self._since)
            self._since = None
        self._deploy.end()
