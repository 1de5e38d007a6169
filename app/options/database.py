"""Where PostgreSQL is, and its timeouts."""

from typing import Annotated

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt


class DatabaseOptions(BaseModel):
    """Where PostgreSQL is, and its timeouts."""

    database_url: Annotated[
        str, Field(description="PostgreSQL, as `postgresql+asyncpg://user:password@host:port/database`.")
    ] = "postgresql+asyncpg://squad@127.0.0.1:5432/squad"
    database_pool_size: Annotated[
        PositiveInt,
        Field(description="Connections of a consumer's lanes at most; relays, upkeep and heartbeat have more."),
    ] = 10
    database_connect_timeout_seconds: Annotated[
        PositiveFloat, Field(description="How long opening a connection may take.")
    ] = 10
    statement_timeout_seconds: Annotated[
        PositiveFloat, Field(description="After which PostgreSQL cancels a statement.")
    ] = 30
    lock_timeout_seconds: Annotated[PositiveFloat, Field(description="How long a statement waits for a lock.")] = 5
    idle_in_transaction_timeout_seconds: Annotated[
        PositiveFloat, Field(description="After which PostgreSQL ends a transaction whose client says nothing.")
    ] = 30
    tcp_user_timeout_seconds: Annotated[
        PositiveFloat, Field(description="After which PostgreSQL gives up a client that acknowledges nothing.")
    ] = 30
    connection_check_interval_seconds: Annotated[
        PositiveFloat, Field(description="How often PostgreSQL looks, during a statement, whether its client is gone.")
    ] = 5
