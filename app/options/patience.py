"""How long is waited, how often is looked, and when is tried again."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, PositiveFloat


class PatienceOptions(BaseModel):
    """How long is waited, how often is looked, and when is tried again."""

    backoff_first_seconds: Annotated[
        PositiveFloat,
        Field(description="The longest first wait before what failed is tried again; doubles up to the next setting."),
    ] = 0.1
    backoff_most_seconds: Annotated[
        PositiveFloat, Field(description="The longest wait before what failed is tried again.")
    ] = 30
    deploy_wait_seconds: Annotated[
        PositiveFloat,
        Field(description="How long a process waits for a missing table, column or right before it stops."),
    ] = 60
    consumer_poll_seconds: Annotated[
        PositiveFloat, Field(description="How long a consumer's lane waits for records before it looks around.")
    ] = 0.2
    consumer_stop_seconds: Annotated[
        PositiveFloat, Field(description="How long a consumer's goodbye to its group may take, and a commit to Kafka.")
    ] = 5
    consumer_stall_seconds: Annotated[
        PositiveFloat,
        Field(
            description="After which a Kafka client that gives a consumer nothing, though it is asked and brokers"
            " answer, is replaced; at least a request's time."
        ),
    ] = 60
    group_commit_seconds: Annotated[
        PositiveFloat,
        Field(description="Between commits of the group's offsets, which only others' tools read."),
    ] = 1
    caught_up_interval_seconds: Annotated[
        PositiveFloat, Field(description="How often a consumer notes which partitions it has read to their ends.")
    ] = 10
    notify_pause_seconds: Annotated[
        PositiveFloat, Field(description="Between a consumer's notifications of relays; those meanwhile are one.")
    ] = 0.005
    relay_listen_check_seconds: Annotated[
        PositiveFloat, Field(description="How often the connection on which a relay listens is tried.")
    ] = 30
    relay_request_timeout_seconds: Annotated[
        PositiveFloat, Field(description="How long a broker may take to answer the relay.")
    ] = 10
    relay_batch_timeout_seconds: Annotated[
        PositiveFloat, Field(description="How long a batch of the relay may take, with the client's own attempts.")
    ] = 30
    relay_stop_seconds: Annotated[
        PositiveFloat,
        Field(description="How long a relay that is to end may take for the page it is at, and to give up its lease."),
    ] = 5
    relay_place_patience_seconds: Annotated[
        PositiveFloat,
        Field(
            description="How long a topic or partition that takes nothing keeps the relay's other rows waiting; then"
            " its own wait aside, in the table `held`, and are tried again by the relay itself."
        ),
    ] = 10
    relay_compression: Annotated[
        Literal["none", "gzip"], Field(description="Of the relay's batches: `none` or `gzip`.")
    ] = "none"
    outbox_lock_timeout_seconds: Annotated[
        PositiveFloat,
        Field(description="How long making and retiring the outbox's partitions waits for a lock."),
    ] = 1
    outbox_maintenance_interval_seconds: Annotated[
        PositiveFloat, Field(description="How often the outbox's partitions are looked after.")
    ] = 60
    migration_lock_timeout_seconds: Annotated[
        PositiveFloat, Field(description="How long a migration waits for a lock before it gives up.")
    ] = 5
    database_pool_timeout_seconds: Annotated[
        PositiveFloat, Field(description="How long is waited for a connection when all of a pool are taken.")
    ] = 30
