"""Errors as an operator reads them."""

from typing import Final

from app.broker import UNREACHABLE, KafkaError, TopicError
from app.checkpoints import AcceptError
from app.commands import InputError
from app.ending import EXIT_CUT, CutShortError
from app.listening import ListenError
from app.pausing import TargetError
from app.postgres import RefusedError, why_refused
from app.seeding.run import NotDecidedError
from app.settings import SettingsError, variable
from checker.topics import UnfinishedReadError
from consumers.adoption import NoCheckpointError
from consumers.inbox import NoFloorError
from consumers.letter_locks import LetterError
from consumers.letter_search import NoLetterError
from consumers.membership import FencedMemberError
from consumers.unpacking import UnpackedTooLargeError
from db.controls import NotPausedError
from db.errors import Failure, classify
from db.telling import HalfDeployedError
from outbox.errors import RelayError
from stack.errors import StackError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 3

_TOLD: Final = (
    *(TopicError, HalfDeployedError, NoCheckpointError, NoFloorError, LetterError, NoLetterError),
    *(StackError, RelayError, UnfinishedReadError, NotDecidedError, NotPausedError),
    *(UnpackedTooLargeError, ListenError, FencedMemberError),
)
"""Errors whose text says it all."""


def explain(error: BaseException) -> tuple[str, int] | None:
    """Give what to print for an error, and the exit code; `None` for a fault of ours."""
    if isinstance(error, BaseExceptionGroup):
        explained = [each for each in map(explain, error.exceptions) if each is not None]
        return explained[0] if explained else None
    if isinstance(error, AcceptError | InputError | SettingsError | TargetError):
        return str(error), EXIT_USAGE
    if isinstance(error, CutShortError):
        return str(error), EXIT_CUT
    if isinstance(error, _TOLD):
        return str(error), EXIT_FAILED
    if isinstance(error, UNREACHABLE):
        return f"cannot reach Kafka ({variable('kafka_bootstrap_servers')}): {error}", EXIT_UNREACHABLE
    if isinstance(error, KafkaError):
        return f"Kafka: {type(error).__name__}: {error}", EXIT_FAILED
    if isinstance(error, RefusedError):
        return f"cannot use PostgreSQL: {error}", EXIT_UNREACHABLE
    why = why_refused(error)
    if why is not None:
        return f"cannot use PostgreSQL: {why}", EXIT_UNREACHABLE
    failure = classify(error)
    if failure is Failure.TRANSIENT:
        return f"cannot reach PostgreSQL ({variable('database_url')}): {_first_line(error)}", EXIT_UNREACHABLE
    if failure is Failure.HALF_DEPLOYED:
        return str(HalfDeployedError(error)), EXIT_FAILED
    return None


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
