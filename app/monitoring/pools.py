"""What is read of a process's pools of connections."""

from collections.abc import Iterator, Mapping

from app.monitoring.readings import Reading
from db.database import Database


def read_pools(pools: Mapping[str, Database]) -> Iterator[Reading]:
    """How many connections are in use, and who waits for one."""
    for name, database in pools.items():
        use = database.pool_use
        yield Reading("squad_pool_connections", use.size, (name,))
        yield Reading("squad_pool_connections_in_use", use.in_use, (name,))
        yield Reading("squad_pool_waiting", use.waiting, (name,))
