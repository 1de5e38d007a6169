"""A Kafka broker (KRaft, broker and controller in one process) from jars: the only one, or one of a cluster."""

import base64
import signal
import socket
import struct
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from stack import processes
from stack.errors import StackError, log_tail
from stack.instances import Instance
from stack.ports import LOOPBACK, wait_until

_READY_TIMEOUT_SECONDS = 60.0
_METADATA_KEY = 3
OURS = "${ours}"
"""In a further property: the value that it would have had, so that one can add a listener to ours."""
_LOG4J_CONFIGURATION = Path(__file__).with_name("log4j2.properties")


class KafkaServer:
    """The broker of one instance.

    Args:
        instance: where it lives, with the ports "kafka" and "kafka_controller" and its options `kafka_heap_mib`,
            `kafka_properties`, `benchmark` and `brokers`.
        java: absolute path of the Java launcher.
        jars: directory of the broker's jars.
        environment: the broker's whole environment.
        number: which broker of its cluster, from 1; the first's role is "kafka", the second's "kafka-2".
    """

    def __init__(
        self, *, instance: Instance, java: Path, jars: Path, environment: Mapping[str, str], number: int = 1
    ) -> None:
        self.number = number
        self.role = role_of(number)
        self._instance = instance
        self._java = java
        self._jars = jars
        self._environment = environment
        self._directory = instance.directory / self.role
        self._properties_path = instance.directory / f"{self.role}.properties"
        self.port = instance.ports[self.role]
        self.log_path = instance.directory / f"{self.role}.log"

    @property
    def bootstrap_servers(self) -> str:
        """Its address as "host:port"."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The broker's pid while it lives."""
        return self._instance.pid_of(self.role)

    def start(self, *, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """Starts it on the data it has, or on new data, and returns when it answers.

        Args:
            is_cancelled: whether the start was given up.

        Raises:
            StackError: it does not come up; the message has the end of its log.
        """
        self._properties_path.write_text(self._render_properties())
        if not (self._directory / "meta.properties").exists():
            self._format()
        try:
            identity = processes.launch(
                [*self._java_command(), "kafka.Kafka", str(self._properties_path)],
                log_path=self.log_path,
                directory=self._instance.directory,
                environment=self._environment,
                account=None,
            )
        except OSError as error:
            raise self._failure(f"Kafka cannot be run ({error})") from error
        self._instance.record_process(self.role, identity)
        ready = wait_until(
            lambda: answers_metadata(self.port),
            is_hopeless=lambda: is_cancelled() or not processes.is_alive(identity),
            timeout_seconds=_READY_TIMEOUT_SECONDS,
        )
        if not ready:
            raise self._failure("Kafka does not come up" if self.pid else "Kafka ended while starting")

    def stop(self) -> None:
        """Asks it to end in order (it flushes its log) and waits until it is gone."""
        self._instance.end_process(self.role, politely=signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a power cut would (SIGKILL)."""
        self._instance.end_process(self.role, politely=None)

    def _java_command(self) -> list[str]:
        heap_mib = self._instance.options["kafka_heap_mib"]
        # One collector thread and the first compiler tier start fastest and take the least memory; measurements want
        # the second tier too.
        tier = [] if self._instance.options["benchmark"] else ["-XX:TieredStopAtLevel=1"]
        log4j = f"-Dlog4j2.configurationFile={_LOG4J_CONFIGURATION}"
        return [str(self._java), f"-Xmx{heap_mib}m", "-XX:+UseSerialGC", *tier, log4j, "-cp", f"{self._jars}/*"]

    def _format(self) -> None:
        # The same for all brokers of the instance, and another one for an instance of the same name later.
        cluster = uuid.uuid5(uuid.NAMESPACE_OID, f"{self._instance.directory} {self._instance.owner}")
        cluster_id = base64.urlsafe_b64encode(cluster.bytes).decode().rstrip("=")
        # With "=", because an id may begin with a hyphen.
        command = [*self._java_command(), "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}"]
        with self.log_path.open("ab") as log:
            result = subprocess.run(
                [*command, "-c", str(self._properties_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self._environment),
                # As the broker: Ctrl-C is for us. It ends by itself within a second.
                start_new_session=True,
                check=False,
            )
        if result.returncode != 0:
            raise self._failure("Kafka's storage cannot be formatted")

    def _failure(self, what: str) -> StackError:
        return StackError(
            f"{what}. Read the end of its log below; extra broker properties and the heap are the usual reasons.\n"
            f"{self.log_path}:\n{log_tail(self.log_path)}"
        )

    def _render_properties(self) -> str:
        listener = f"PLAINTEXT://{self.bootstrap_servers}"
        brokers = self._instance.options.get("brokers", 1)
        controllers = {
            number: f"{LOOPBACK}:{self._instance.ports[controller_of(number)]}" for number in range(1, brokers + 1)
        }
        controller = controllers[self.number]
        properties = {
            "process.roles": "broker,controller",
            "node.id": str(self.number),
            "controller.quorum.voters": ",".join(f"{number}@{address}" for number, address in controllers.items()),
            "listeners": f"{listener},CONTROLLER://{controller}",
            "advertised.listeners": listener,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._directory),
            **_PROPERTIES,
            **_copies(min(3, brokers)),
        }
        given = self._instance.options["kafka_properties"]
        properties |= {key: value.replace(OURS, properties.get(key, "")) for key, value in given.items()}
        return "".join(f"{key}={_escape(value)}\n" for key, value in properties.items())


def role_of(number: int) -> str:
    """What the n-th broker of an instance is called in its records, ports and files."""
    return "kafka" if number == 1 else f"kafka-{number}"


def controller_of(number: int) -> str:
    """What the port of its controller is called."""
    return role_of(number).replace("kafka", "kafka_controller")


def _copies(count: int) -> Mapping[str, str]:
    """How often the broker's own topics are kept; all but one copy must be in step."""
    in_step = str(max(1, count - 1))
    return {
        "offsets.topic.replication.factor": str(count),
        "transaction.state.log.replication.factor": str(count),
        "transaction.state.log.min.isr": in_step,
        "share.coordinator.state.topic.replication.factor": str(count),
        "share.coordinator.state.topic.min.isr": in_step,
    }


def answers_metadata(port: int, *, least_brokers: int = 1) -> bool:
    """Whether a broker on this port of the loopback names so many brokers that can be used.

    An open port is not enough: the broker listens before the controller lets it take part. The request is Metadata
    version 0 for all topics; its answer begins with the brokers. (Kafka protocol guide, "Metadata API (Key: 3)".)
    """
    request = struct.pack(">hhih", _METADATA_KEY, 0, 1, -1) + struct.pack(">i", 0)
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2.0) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            # Size, correlation id, number of brokers.
            answer = connection.makefile("rb").read(12)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] >= least_brokers


def _escape(value: str) -> str:
    """A value for a Java properties file, where a backslash starts an escape."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


_PROPERTIES: Mapping[str, str] = {
    # 50 partitions each are for large clusters; here they only make the first group and transaction slow.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    # A killed broker's registration must run out before the same broker may register again: 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
}
