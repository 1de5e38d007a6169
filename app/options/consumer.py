"""What a consumer takes, and how much at once."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from app.options.values import Text


class ConsumerOptions(BaseModel):
    """What a consumer takes, and how much at once."""

    consumer_group: Annotated[str, Field(min_length=1, description="Whose checkpoints count.")] = "squad-consumers"
    event_source: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,255}$",
            description="CloudEvents `source` of events and outcomes, a URI reference.",
        ),
    ] = "/agent-squad"
    first_start: Annotated[
        Literal["earliest", "latest", "refuse"],
        Field(description="Where a group without any checkpoint of the topic begins; `refuse`: it ends instead."),
    ] = "earliest"
    lanes: Annotated[PositiveInt, Field(description="Batches under way at once in a consumer.")] = 2
    batch_max_commands: Annotated[PositiveInt, Field(description="Commands of one transaction at most.")] = 2000
    batch_max_bytes: Annotated[
        PositiveInt, Field(le=268_435_456, description="Records of one transaction at most, all in all.")
    ] = 4194304
    session_seconds: Annotated[
        PositiveFloat, Field(description="After which the group gives a silent consumer's partitions to others.")
    ] = 45
    heartbeat_seconds: Annotated[PositiveFloat, Field(description="Between heartbeats to the group.")] = 5
    rebalance_seconds: Annotated[
        PositiveFloat,
        Field(description="How long the group waits for a consumer to join again when its members change."),
    ] = 20
    rebalance_finish_seconds: Annotated[
        PositiveFloat,
        Field(
            description="How long the group is held up for batches under way of a consumer whose partitions are taken"
            " away; at most half of `SQUAD_REBALANCE_SECONDS`."
        ),
    ] = 2
    consumer_instance: Annotated[
        Text,
        Field(
            description="Makes the consumer a static member of its group, of this name, which no other process may"
            " have: a restart within `SQUAD_SESSION_SECONDS` disturbs nobody."
        ),
    ] = None
    request_seconds: Annotated[
        PositiveFloat, Field(description="How long a consumer's request to Kafka may take, joining the group included.")
    ] = 30
    metadata_max_age_seconds: Annotated[
        PositiveFloat, Field(description="How long it may go unnoticed that partitions were added to the commands.")
    ] = 60
    fetch_max_bytes: Annotated[
        PositiveInt, Field(description="Of one answer of a broker to a consumer, as it travels, compressed.")
    ] = 52428800
    partition_fetch_max_bytes: Annotated[
        PositiveInt, Field(description="The same, of one partition; a larger batch of records comes alone.")
    ] = 1048576
    fetch_max_unpacked_bytes: Annotated[
        PositiveInt,
        Field(
            ge=1_048_576,
            le=1_073_741_824,
            description="What one batch of records, as its producer packed it, may unpack to; a larger one stops its"
            " partition.",
        ),
    ] = 67108864
    record_max_bytes: Annotated[PositiveInt, Field(le=67_108_864, description="Of a command record, all in all.")] = (
        1048576
    )
    record_max_headers: Annotated[
        PositiveInt, Field(description="Headers of a command record; in structured mode members of the event as well.")
    ] = 64
    record_max_header_bytes: Annotated[PositiveInt, Field(description="All headers of a command record.")] = 16384
    record_max_json_depth: Annotated[PositiveInt, Field(le=100, description="How deep a command's JSON may nest.")] = 32
    record_max_json_values: Annotated[
        PositiveInt, Field(description="Members of objects and elements of arrays in a command's JSON.")
    ] = 10000
    dead_letter_max_bytes: Annotated[
        PositiveInt,
        Field(description="How much of a dead letter's headers and value is published; the table has it whole."),
    ] = 900000
