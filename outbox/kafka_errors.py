"""What an error of the Kafka client says about something that was to be sent: one function, one table."""

from enum import StrEnum
from typing import Final

from aiokafka import errors
from aiokafka.errors import BrokerResponseError, KafkaError, kafka_errors


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc] # aiokafka has no types
    """The broker will not have this record, such as one without a key on a compacted topic."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The record has failed the validation on the broker and hence will be rejected."


# aiokafka 0.14 does not know this error, and would take it for one of the brokers' own.
kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)


class Blame(StrEnum):
    """Whose fault it is that something was not acknowledged."""

    RECORD = "record"
    """Kafka never takes this record, if it was sent alone; among others it may be another's fault."""
    PLACE = "place"
    """Its topic or partition takes nothing as things are, while others may."""
    KAFKA = "kafka"
    """No broker answers, or none wants us, or the producer is spent; whether the record arrived nobody knows."""


UNKNOWN: Final = (KafkaError, OSError, TimeoutError)
"""What sending can raise; whatever is not one of these is a defect of ours."""

_OF_RECORDS: Final = (errors.MessageSizeTooLargeError, errors.InvalidTimestampError, InvalidRecordError)

_OF_PLACES: Final = (
    errors.UnknownError,
    errors.CorruptRecordException,
    errors.UnknownTopicOrPartitionError,
    errors.LeaderNotAvailableError,
    errors.NotLeaderForPartitionError,
    errors.ReplicaNotAvailableError,
    errors.InvalidTopicError,
    errors.RecordListTooLargeError,
    errors.NotEnoughReplicasError,
    errors.NotEnoughReplicasAfterAppendError,
    errors.InvalidRequiredAcksError,
    errors.TopicAuthorizationFailedError,
    errors.UnsupportedForMessageFormatError,
    errors.PolicyViolationError,
    errors.KafkaStorageError,
)
"""What a broker says of one partition in its answer, or the client of one topic."""


def classify(error: BaseException) -> Blame:
    """Say whose fault it is (Kafka documentation, "Error codes").

    Args:
        error: one of `UNKNOWN`.

    Returns:
        `KAFKA` for whatever is not known: it is tried again for as long as it takes.
    """
    if isinstance(error, _OF_RECORDS):
        return Blame.RECORD
    if isinstance(error, _OF_PLACES):
        return Blame.PLACE
    return Blame.KAFKA


def name(error: BaseException) -> str:
    """Name an error as Kafka's documentation does where it is one of a broker's, else by its class."""
    said = getattr(error, "message", None)
    return said if isinstance(error, BrokerResponseError) and said else type(error).__name__
