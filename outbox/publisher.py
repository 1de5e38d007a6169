"""Records into Kafka, acknowledged, in order for each key: batches while all is well, row by row after a failure.

One batch is outstanding per partition: of two un-awaited ones the first can be refused and the second accepted. The
main producer is idempotent, so that its own retries do not repeat. A failed batch burns its sequence numbers, and what
follows on the same producer would fail too; so the producer is renewed, and the batch's rows go one by one through a
second producer that is not idempotent.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    BrokerResponseError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    kafka_errors,
)

from messages.keys import partition_of
from outbox.backoff import jittered_seconds
from outbox.errors import RefusedRowError
from outbox.producing import Producing
from outbox.wire import Record

logger = logging.getLogger("squad.relay")


class InvalidRecordError(BrokerResponseError):
    """The broker will not have this record, such as one without a key on a compacted topic."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The record has failed the validation on the broker and hence will be rejected."


# aiokafka 0.14 ends at error 86 or so and would call it unknown, which is tried for ever.
kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)
