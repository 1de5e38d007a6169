"""A PostgreSQL without a Kafka beside it, as a process of this machine, for tests that need no more."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

from stack import instances
from stack.bring_up import start_servers
from stack.claiming import claim
from stack.local_stack import LocalOptions
from stack.locks import hold_lock
from stack.places import cache_directory, unprivileged_account
from stack.postgres import PostgresServer
from stack.postgres_programs import find_programs


@contextmanager
def start_postgres(*, name: str, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Give SQLAlchemy's address of a new PostgreSQL, which ends with the block. First ends what dead owners left.

    Args:
        name: which instance; nobody else's.
        environment: the process environment; `stack.postgres_programs.programs_obstacle` says whether it works there.

    Raises:
        StackError: the name is in use, or it does not come up; nothing is left running.
    """
    cache = cache_directory(environment)
    programs = find_programs(cache, environment)
    directory = instances.directory_of(cache, name)
    with hold_lock(cache, "instances"):
        instances.sweep(cache)
        instance = claim(cache, directory, kind="local", keep=False, options=asdict(LocalOptions()), ports=["postgres"])
    try:
        server = PostgresServer(instance=instance, programs=programs, account=unprivileged_account())
        start_servers({"PostgreSQL": server}, progress=lambda _step: None)
        instance.ready = True
        instance.save()
        yield server.database_url
    finally:
        instance.remove()
