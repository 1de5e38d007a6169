"""Every class of errors that the Kafka client has; a new one of a new version makes the tables of tests ask for it."""

from aiokafka import errors
from aiokafka.errors import KafkaError

from outbox.kafka_errors import InvalidRecordError

ALL: dict[str, type[KafkaError]] = {
    each.__name__: each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, KafkaError)
} | {InvalidRecordError.__name__: InvalidRecordError}


def make(name: str) -> Exception:
    """Give an error of a class, whatever its constructor wants."""
    made: Exception = Exception.__new__(ALL[name])
    return made
