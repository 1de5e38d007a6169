"""Several Kafka brokers as one: for tests that end some of them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from stack.errors import StackError
from stack.kafka import KafkaServer, answers_metadata
from stack.ports import wait_until

_WHOLE_TIMEOUT_SECONDS: Final = 60.0


class KafkaCluster:
    """The brokers of one instance, which start, stop and die together here, or each by its own methods.

    Args:
        brokers: all of them, by number from 1.
    """

    def __init__(self, brokers: Sequence[KafkaServer]) -> None:
        self.brokers = brokers

    @property
    def bootstrap_servers(self) -> str:
        """Their addresses as "host:port", separated by commas."""
        return ",".join(broker.bootstrap_servers for broker in self.brokers)

    @property
    def pid(self) -> int | None:
        """The first one's pid while all of them live."""
        pids = [broker.pid for broker in self.brokers]
        return None if None in pids else pids[0]

    def start(self, *, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """Starts those that do not run, all at once, for none answers before most of them can vote.

        Args:
            is_cancelled: whether the start was given up.

        Raises:
            StackError: one of them does not come up, or they do not find each other.
        """
        missing = [broker for broker in self.brokers if broker.pid is None]
        with ThreadPoolExecutor(max_workers=len(self.brokers)) as pool:
            for start in [pool.submit(broker.start, is_cancelled=is_cancelled) for broker in missing]:
                start.result()
        self.wait_until_whole(is_cancelled=is_cancelled)

    def wait_until_whole(self, *, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """Returns when every broker knows of all.

        Args:
            is_cancelled: whether to give up.

        Raises:
            StackError: that takes too long.
        """
        count = len(self.brokers)
        for broker in self.brokers:
            if not wait_until(
                lambda port=broker.port: answers_metadata(port, least_brokers=count),  # type: ignore[misc] # of this one
                is_hopeless=is_cancelled,
                timeout_seconds=_WHOLE_TIMEOUT_SECONDS,
            ):
                raise StackError(f"Kafka's {count} brokers do not find each other. Read {broker.log_path}.")

    def stop(self) -> None:
        """Asks them to end in order and waits until they are gone; the last ones have nobody left to vote with."""
        with ThreadPoolExecutor(max_workers=len(self.brokers)) as pool:
            list(pool.map(lambda broker: broker.stop(), self.brokers))

    def kill(self) -> None:
        """Ends them as a power cut would."""
        for broker in self.brokers:
            broker.kill()
