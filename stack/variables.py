"""The environment variables by which a person says what stack is wanted."""

from collections.abc import Mapping
from typing import Final

KIND: Final = "SQUAD_STACK"
POSTGRES_PROGRAMS: Final = "SQUAD_STACK_POSTGRES_BIN"
POSTGRES_IMAGE: Final = "SQUAD_STACK_POSTGRES_IMAGE"
KAFKA_IMAGE: Final = "SQUAD_STACK_KAFKA_IMAGE"
PULL_SECONDS: Final = "SQUAD_STACK_PULL_SECONDS"

MEANINGS: Final[Mapping[str, str]] = {
    KIND: "which kind to use: external, docker, local or embedded; unset: the first that works",
    POSTGRES_PROGRAMS: "directory of `initdb` and `postgres` (15 to 18) for local and embedded, not the wheel's",
    POSTGRES_IMAGE: "PostgreSQL's image for docker",
    KAFKA_IMAGE: "Kafka's image for docker; one that takes the settings of `apache/kafka`",
    PULL_SECONDS: "how long pulling an image may take, 300 if not set",
}
"""What each is for; docs/local-stack.md names them all."""
