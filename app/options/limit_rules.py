"""Which limits may not exceed which others."""

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from app.options.names import variable

_AT_MOST: Final = (
    ("backoff_first_seconds", "backoff_most_seconds"),
    ("relay_poll_least_seconds", "relay_poll_most_seconds"),
    ("relay_request_timeout_seconds", "relay_batch_timeout_seconds"),
    # Else a request that is slow is taken for a client that is dead.
    ("request_seconds", "consumer_stall_seconds"),
    # Else what ends politely is cut.
    ("consumer_stop_seconds", "shutdown_seconds"),
    ("relay_stop_seconds", "shutdown_seconds"),
    # Else a statement that waits for a lock is cancelled as slow, which is blamed on its records.
    ("lock_timeout_seconds", "statement_timeout_seconds"),
    ("outbox_lock_timeout_seconds", "statement_timeout_seconds"),
    # Else a slow statement ends its batch's connection instead of being cancelled.
    ("statement_timeout_seconds", "transaction_timeout_seconds"),
)
"""Of each pair the first is at most the second."""


def faults(settings: BaseModel) -> Iterator[str]:
    """Say which limits exceed one that they may not."""
    for least, most in _AT_MOST:
        if getattr(settings, least) > getattr(settings, most):
            yield f"{variable(least)}: must be at most {variable(most)}"
