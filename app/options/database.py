"""Where PostgreSQL is, how it is spoken to, and its timeouts."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from app.options.values import File, Secret, Text
from db.tls import TlsMode


class DatabaseOptions(BaseModel):
    """Where PostgreSQL is, how it is spoken to, and its timeouts."""

    database_url: Annotated[
        str,
        Field(
            description="PostgreSQL, as `postgresql+asyncpg://user:password@host:port/database`; with a standby that"
            " may take over, as `postgresql+asyncpg://user:password@/database?host=one:5432&host=two:5432`."
        ),
    ] = "postgresql+asyncpg://squad@127.0.0.1:5432/squad"
    database_password_file: Annotated[
        File, Field(description="Its password, from a file, where the address has none.")
    ] = None
    database_ssl_mode: Annotated[
        TlsMode,
        Field(description="As libpq has it: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`."),
    ] = "prefer"
    database_ssl_ca_file: Annotated[
        File, Field(description="Authorities that sign the server's certificate, PEM; empty: the system's.")
    ] = None
    database_ssl_certificate_file: Annotated[
        File, Field(description="Our certificate with its chain, PEM, where the server asks for one.")
    ] = None
    database_ssl_key_file: Annotated[
        File, Field(description="Its key, PEM; empty: it is in the certificate's file.")
    ] = None
    database_ssl_key_password: Annotated[Secret, Field(description="Of that key.")] = None
    database_ssl_key_password_file: Annotated[File, Field(description="The same, from a file.")] = None
    database_pooler: Annotated[
        Literal["none", "pgbouncer-transaction"],
        Field(description="What the address leads to: PostgreSQL itself, or PgBouncer with `pool_mode=transaction`."),
    ] = "none"
    database_proxy: Annotated[
        Literal["refused", "trusted"],
        Field(
            description="What answers in PostgreSQL's name without being the pooler above: `refused`, or `trusted` to"
            " keep one connection of the server, with our timeouts, for each of ours."
        ),
    ] = "refused"
    database_direct_url: Annotated[
        Text, Field(description="PostgreSQL itself, for relay and migrations, where the other address is a pooler's.")
    ] = None
    database_replica_url: Annotated[
        Text,
        Field(
            description="A replica for sessions that only read, spoken to as the first address is, pooler or not;"
            " empty: they read there."
        ),
    ] = None
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
    transaction_timeout_seconds: Annotated[
        PositiveFloat,
        Field(description="After which PostgreSQL, from 17 on, ends a batch's transaction, whatever it waits for."),
    ] = 60
    tcp_user_timeout_seconds: Annotated[
        PositiveFloat,
        Field(description="After which PostgreSQL gives up a client that acknowledges nothing, and we PostgreSQL."),
    ] = 30
    connection_check_interval_seconds: Annotated[
        PositiveFloat, Field(description="How often PostgreSQL looks, during a statement, whether its client is gone.")
    ] = 5
    random_page_cost: Annotated[
        PositiveFloat,
        Field(
            description="What PostgreSQL's planner takes a random read to cost, beside a sequential one; more makes it"
            " read whole tables. Through a pooler it is the server's own."
        ),
    ] = 1.1
    answer_spare_seconds: Annotated[
        PositiveFloat,
        Field(description="How much longer than a statement may take we wait for its answer; then we connect anew."),
    ] = 5
