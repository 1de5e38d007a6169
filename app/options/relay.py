"""How the relay publishes the outbox, and how far ahead the outbox is prepared."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt


class RelayOptions(BaseModel):
    """How the relay publishes the outbox, and how far ahead the outbox is prepared."""

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
    relay_refused_rows: Annotated[
        Literal["hold", "divert", "skip"],
        Field(
            description="What becomes of a row that Kafka refuses for good: it waits with its topic and key (hold),"
            " goes to the dead letters (divert), or is left out (skip)."
        ),
    ] = "hold"
    relay_waiting_max_rows: Annotated[
        PositiveInt,
        Field(
            description="Rows of a shard that may wait aside for topics and partitions that take nothing; past that the"
            " relay of the shard stands still."
        ),
    ] = 100_000
    relay_producer_max_records: Annotated[
        PositiveInt, Field(le=2_000_000_000, description="Records after which the relay's Kafka producer is renewed.")
    ] = 1_000_000_000
    relay_max_shards: Annotated[
        PositiveInt, Field(description="Shards that a process leads at most; each takes two connections.")
    ] = 8
    lease_seconds: Annotated[
        PositiveFloat, Field(description="After which a standby relay takes over from a silent one.")
    ] = 10
    lease_renew_seconds: Annotated[PositiveFloat, Field(description="Between the active relay's renewals.")] = 3
    outbox_days_ahead: Annotated[
        PositiveInt, Field(description="For how many coming days the outbox has a partition ready.")
    ] = 3
