"""How long to wait before trying again."""

import random
from collections.abc import Iterator


def jittered_seconds(*, first_seconds: float = 0.1, most_seconds: float = 30) -> Iterator[float]:
    """Give waits for ever: each anywhere between nothing and a ceiling that doubles ("full jitter", AWS
    Architecture Blog, "Exponential Backoff And Jitter").

    Args:
        first_seconds: the first ceiling.
        most_seconds: the highest ceiling.
    """
    ceiling = first_seconds
    while True:
        yield random.uniform(0, ceiling)  # noqa: S311 - no secret
        ceiling = min(ceiling * 2, most_seconds)
