"""Errors as an operator reads them."""

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from app.broker import TopicError
from app.commands import InputError
from app.settings import SettingsError, variable
from consumers.failures import HalfDeployedError
from db.errors import Failure, classify, sqlstate
from stack.errors import StackError


def explain(error: BaseException) -> tuple[str, bool] | None:
    """Give what to print for an error, and whether a service could not be reached; `None` for a fault of ours."""
    if isinstance(error, BaseExceptionGroup):
        explained = [each for each in map(explain, error.exceptions) if each is not None]
        return explained[0] if explained else None
    if isinstance(error, KafkaConnectionError | KafkaTimeoutError):
        return f"cannot reach Kafka ({variable('kafka_bootstrap_servers')}): {error}", True
    if isinstance(error, InputError | SettingsError | TopicError | HalfDeployedError | StackError):
        return str(error), False
    if isinstance(error, KafkaError):
        return f"Kafka: {type(error).__name__}: {error}", False
    failure = classify(error)
    if failure is Failure.TRANSIENT or (sqlstate(error) or "").startswith(("28", "3D")):
        return f"cannot reach PostgreSQL ({variable('database_url')}): {_first_line(error)}", True
    if failure is Failure.HALF_DEPLOYED:
        return f"the schema does not fit, run `squad migrate`: {_first_line(error)}", False
    return None


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
