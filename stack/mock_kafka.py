"""librdkafka's mock of a Kafka cluster in a process of its own: the embedded stack's broker, which is no real one.

Groups, commits and idempotent producing work; a topic is made, with four partitions, by whoever first asks for it.
Transactions do not isolate, records keep their producers' times, nothing is on disk, and a partition forgets its oldest
records beyond 5 MiB (librdkafka, src/rdkafka_mock.c and rdkafka_mock.h).
"""

import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stack import processes
from stack.errors import StackError, log_tail
from stack.instances import Instance
from stack.kafka import answers_metadata
from stack.ports import LOOPBACK, wait_until

PARTITIONS: Final = 4
"""Of each topic; librdkafka's default, which its Python binding cannot change."""

_READY_TIMEOUT_SECONDS: Final = 30.0


class MockKafka:
    """The mock broker of one instance.

    Args:
        instance: where it lives.
    """

    def __init__(self, *, instance: Instance) -> None:
        self._instance = instance
        self._place = instance.directory / "kafka.json"
        self.log_path = instance.directory / "kafka.log"

    @property
    def bootstrap_servers(self) -> str:
        """Its address as "host:port"; librdkafka picks the port, so only once it was started."""
        return f"{LOOPBACK}:{self._port()}"

    @property
    def pid(self) -> int | None:
        """Its process's pid while it lives."""
        return self._instance.pid_of("kafka")

    def start(self, *, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """Starts it, empty and on another port than before, and returns when it answers.

        Args:
            is_cancelled: whether the start was given up.

        Raises:
            StackError: it does not come up; the message has the end of its log.
        """
        self._place.unlink(missing_ok=True)
        try:
            identity = processes.launch(
                [sys.executable, "-m", "stack.mock_kafka", str(self._place)],
                log_path=self.log_path,
                directory=Path(__file__).parents[1],
                environment={},
                account=None,
            )
        except OSError as error:
            raise self._failure(f"librdkafka's mock cannot be run ({error})") from error
        self._instance.record_process("kafka", identity)
        ready = wait_until(
            lambda: self._place.exists() and answers_metadata(self._port()),
            is_hopeless=lambda: is_cancelled() or not processes.is_alive(identity),
            timeout_seconds=_READY_TIMEOUT_SECONDS,
        )
        if not ready:
            raise self._failure("librdkafka's mock does not come up")

    def stop(self) -> None:
        """Ends it; everything in it is gone."""
        self._instance.end_process("kafka", politely=signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as `stop` does: there is nothing to flush."""
        self._instance.end_process("kafka", politely=None)

    def _port(self) -> int:
        return int(json.loads(self._place.read_text())["port"])

    def _failure(self, what: str) -> StackError:
        return StackError(f"{what}. Read the end of its log below.\n{self.log_path}:\n{log_tail(self.log_path)}")


def hold_cluster(place: Path) -> None:
    """Holds a mock cluster until SIGTERM.

    Args:
        place: the file that gets its port, whole or not at all.
    """
    # Here, because it needs the extra `embedded`.
    from confluent_kafka import Producer

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    # The mock lives as long as the client that asked for it; its address is known from the client's metadata only.
    client = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": LOOPBACK})
    (broker,) = client.list_topics(timeout=_READY_TIMEOUT_SECONDS).brokers.values()
    draft = place.with_suffix(".draft")
    draft.write_text(json.dumps({"port": broker.port}))
    draft.replace(place)
    ended.wait()


if __name__ == "__main__":
    hold_cluster(Path(sys.argv[1]))
