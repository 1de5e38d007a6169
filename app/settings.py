"""Every limit and address, with its unit in its name: the only reader of the environment."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "SQUAD_"
"""Of every variable."""

DEAD_LETTER_EXTRA_BYTES = 16_384
"""What the key and the headers that say why can add to a published dead letter."""


class SettingsError(Exception):
    """A setting is missing or malformed; the message names each and what is wrong."""


class Settings(BaseSettings):
    """What an operator can set; each field is the environment variable `SQUAD_` + its name in upper case."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[
        str, Field(description="PostgreSQL, as `postgresql+asyncpg://user:password@host:port/database`.")
    ] = "postgresql+asyncpg://squad@127.0.0.1:5432/squad"
    database_pool_size: Annotated[
        PositiveInt, Field(description="Connections of a consumer's lanes at most; relay and heartbeat have six more.")
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

    kafka_bootstrap_servers: Annotated[str, Field(description="Kafka brokers to start from, `host:port,…`.")] = (
        "127.0.0.1:9092"
    )
    topic_prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]*$", description="In front of the topics' names.")] = (
        "squad."
    )
    topic_partitions: Annotated[PositiveInt, Field(description="Partitions of each topic that is created.")] = 6
    topic_replication_factor: Annotated[
        PositiveInt, Field(description="Copies of each topic that is created; 3 where there are three brokers.")
    ] = 1
    accept_producer_time: Annotated[
        bool,
        Field(description="Take commands from a topic stamped by producers; else it must have LogAppendTime."),
    ] = False

    consumer_group: Annotated[str, Field(min_length=1, description="Whose checkpoints count.")] = "squad-consumers"
    event_source: Annotated[str, Field(min_length=1, description="CloudEvents `source` of events and outcomes.")] = (
        "/agent-squad"
    )
    command_sources: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="The `source` values that may send commands, separated by commas; empty: any."),
    ] = ()
    first_start: Annotated[
        Literal["earliest", "latest"], Field(description="Where a group without checkpoints begins.")
    ] = "earliest"
    lanes: Annotated[PositiveInt, Field(description="Batches under way at once in a consumer.")] = 2
    batch_max_commands: Annotated[PositiveInt, Field(description="Commands of one transaction at most.")] = 500
    batch_max_bytes: Annotated[PositiveInt, Field(description="Keys and values of one transaction at most.")] = 4194304
    session_seconds: Annotated[
        PositiveFloat, Field(description="After which the group gives a silent consumer's partitions to others.")
    ] = 45
    heartbeat_seconds: Annotated[PositiveFloat, Field(description="Between heartbeats to the group.")] = 5
    deploy_wait_seconds: Annotated[
        PositiveFloat, Field(description="How long a missing table or column is waited for before stopping.")
    ] = 60
    record_max_bytes: Annotated[PositiveInt, Field(description="Of a command record, all in all.")] = 1048576
    record_max_headers: Annotated[PositiveInt, Field(description="Headers of a command record.")] = 64
    record_max_header_bytes: Annotated[PositiveInt, Field(description="All headers of a command record.")] = 16384
    record_max_json_depth: Annotated[PositiveInt, Field(description="How deep a command's JSON may nest.")] = 32
    dead_letter_max_bytes: Annotated[
        PositiveInt,
        Field(description="How much of a dead letter's headers and value is published; the table has it whole."),
    ] = 900000

    relay_page_max_rows: Annotated[
        PositiveInt, Field(description="Rows published before the relay's cursor is stored; what a crash repeats.")
    ] = 2000
    relay_page_max_bytes: Annotated[PositiveInt, Field(description="The same, in bytes of bodies.")] = 16777216
    relay_batch_max_bytes: Annotated[
        PositiveInt, Field(description="Of a batch that the relay sends; at most the topics' max.message.bytes.")
    ] = 1048576
    relay_poll_least_seconds: Annotated[
        PositiveFloat, Field(description="The relay's first wait when nothing is new; doubles up to the next setting.")
    ] = 0.01
    relay_poll_most_seconds: Annotated[PositiveFloat, Field(description="The relay's longest wait.")] = 0.5
    lease_seconds: Annotated[
        PositiveFloat, Field(description="After which a standby relay takes over from a silent one.")
    ] = 10
    lease_renew_seconds: Annotated[PositiveFloat, Field(description="Between the active relay's renewals.")] = 3
    outbox_days_ahead: Annotated[
        PositiveInt, Field(description="For how many coming days the outbox has a partition ready.")
    ] = 3

    heartbeat_interval_seconds: Annotated[
        PositiveFloat, Field(description="How often a process describes itself in the table `processes`.")
    ] = 3

    @classmethod
    def load(cls) -> "Settings":
        """Read the environment.

        Raises:
            SettingsError: naming each variable that does not fit, without its value.
        """
        try:
            settings = cls()
        except ValidationError as error:
            faults = (f"{variable(str(each['loc'][0]))}: {each['msg']}" for each in error.errors() if each["loc"])
            raise SettingsError("; ".join(faults) or str(error)) from None
        settings.check()
        return settings

    @field_validator("command_sources", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    def check(self) -> None:
        """See that settings fit each other.

        Raises:
            SettingsError: a rule between two settings is broken.
        """
        try:
            make_url(self.database_url)
        except ArgumentError:
            raise SettingsError(f"{variable('database_url')}: is not a database URL") from None
        if self.heartbeat_seconds > self.session_seconds / 3:
            raise SettingsError(
                f"{variable('heartbeat_seconds')}: must be at most a third of {variable('session_seconds')}"
            )
        if self.lease_renew_seconds > self.lease_seconds / 2:
            raise SettingsError(
                f"{variable('lease_renew_seconds')}: must be at most half of {variable('lease_seconds')}"
            )
        if self.dead_letter_max_bytes + DEAD_LETTER_EXTRA_BYTES > self.relay_batch_max_bytes:
            raise SettingsError(
                f"{variable('dead_letter_max_bytes')}: must leave {DEAD_LETTER_EXTRA_BYTES} bytes of"
                f" {variable('relay_batch_max_bytes')}, for the headers that say why"
            )
        if self.database_pool_size < self.lanes + 2:
            raise SettingsError(f"{variable('database_pool_size')}: must be at least {variable('lanes')} + 2")

    def topic(self, name: Literal["commands", "events", "outcomes", "dead-letters"]) -> str:
        """Give a topic's full name."""
        return self.topic_prefix + name


def variable(field: str) -> str:
    """Give the environment variable of a setting."""
    return PREFIX + field.upper()


def masked(field: str, value: object) -> str:
    """Give a setting as it may be shown: a URL without its password."""
    if field == "database_url":
        return make_url(str(value)).render_as_string(hide_password=True)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def origin(settings: Settings, field: str) -> str:
    """Say where a setting's value came from."""
    return f"environment {variable(field)}" if field in settings.model_fields_set else "default"
