"""Waiting longer after each failure: exponential, with full jitter and a ceiling."""

import asyncio
import random
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next attempt.

    Args:
        first_seconds: upper bound of the first wait; doubled for each further one.
        ceiling_seconds: no wait is longer.
    """

    first_seconds: float = 0.1
    ceiling_seconds: float = 30
    attempts: int = 0

    def next_seconds(self) -> float:
        """Give the next wait, evenly distributed from 0 to the bound, so that many do not come back together."""
        bound = min(self.ceiling_seconds, self.first_seconds * 2 ** min(self.attempts, 30))
        self.attempts += 1
        return random.uniform(0, bound)  # noqa: S311 - jitter is no secret

    async def wait(self) -> None:
        """Wait for the next attempt."""
        await asyncio.sleep(self.next_seconds())

    def reset(self) -> None:
        """Begin anew after a success."""
        self.attempts = 0
