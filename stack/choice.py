"""Which stack to use: the first kind that works here, or the one that SQUAD_STACK names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, assert_never, get_args

from stack import docker, obstacles, variables
from stack.errors import StackError

Kind = Literal["external", "docker", "local", "embedded"]
"""In the order of choice, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The kind of stack chosen.

    Attributes:
        kind: which one.
        line: for a person: what was chosen, and why not the ones before it.
    """

    kind: Kind
    line: str


def choose(
    environment: Mapping[str, str], *, keep: bool = False, progress: Callable[[str], None] = lambda _step: None
) -> Choice:
    """Chooses how to come by PostgreSQL and Kafka.

    Args:
        environment: the process environment. SQUAD_STACK forces a kind; unset, the first that works is taken.
        keep: whether the stack is to outlive this process; Docker needs Compose for that.
        progress: told that images are pulled.

    Raises:
        StackError: the forced kind does not work or does not exist, or none works.
    """

    def ask(kind: Kind) -> str | None:
        return _obstacle(kind, environment, keep=keep, pull=True, progress=progress)

    forced = environment.get(variables.KIND, "").strip()
    if forced:
        return _choose_forced(forced, ask)
    reasons: list[str] = []
    for kind in get_args(Kind):
        obstacle = ask(kind)
        if obstacle is None:
            return Choice(kind=kind, line="; ".join([f"{kind} stack: {MEANINGS[kind]}", *reasons]))
        reasons.append(f"not {kind}: {obstacle}")
    raise StackError(f"There is no way to come by PostgreSQL and Kafka here: {'; '.join(reasons)}.")


def obstacle_of(kind: Kind, environment: Mapping[str, str]) -> str | None:
    """Say why a kind does not work here and what to do, or `None`; nothing is pulled or started to find out.

    Args:
        kind: which one.
        environment: the process environment.
    """
    return _obstacle(kind, environment, keep=True, pull=False, progress=lambda _step: None)


class _Ask(Protocol):
    """Gives what keeps a kind from working, or `None`."""

    def __call__(self, kind: Kind) -> str | None: ...


def _choose_forced(forced: str, ask: _Ask) -> Choice:
    for kind in get_args(Kind):
        if kind == forced:
            obstacle = ask(kind)
            if obstacle is not None:
                raise StackError(f"{variables.KIND}={forced} does not work here: {obstacle}.")
            return Choice(kind=kind, line=f"{kind} stack: {MEANINGS[kind]}; {variables.KIND} says so")
    raise StackError(
        f"{variables.KIND}={forced}: this release has no such stack. Use one of: {', '.join(get_args(Kind))}."
    )


# A further kind is a name in `Kind`, a case here, a line in `MEANINGS`, and a case in `starting.start`.
def _obstacle(
    kind: Kind, environment: Mapping[str, str], *, keep: bool, pull: bool, progress: Callable[[str], None]
) -> str | None:
    match kind:
        case "external":
            return obstacles.external(environment)
        case "docker":
            return docker.obstacle(environment, keep=keep, pull=pull, progress=progress)
        case "local":
            return obstacles.local(environment)
        case "embedded":
            return obstacles.embedded(environment)
        case _:
            assert_never(kind)


MEANINGS: Mapping[Kind, str] = {
    "external": f"the servers that {' and '.join(obstacles.EXTERNAL_SETTINGS)} name",
    "docker": "PostgreSQL and Kafka in containers, on this machine",
    "local": "PostgreSQL from a wheel and Kafka from jars, on this machine",
    "embedded": "PostgreSQL from a wheel and librdkafka's mock of Kafka, which is not a real Kafka",
}
"""What each kind is, in words."""
