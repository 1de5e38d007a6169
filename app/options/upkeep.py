"""How old a command may be, and how long what was done is kept."""

from typing import Annotated

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt


class UpkeepOptions(BaseModel):
    """How old a command may be, and how long what was done is kept."""

    command_age_limit_seconds: Annotated[
        PositiveFloat,
        Field(description="How far a command's `ce_time` may be behind its record's Kafka time, retries among them."),
    ] = 604800
    command_skew_seconds: Annotated[
        PositiveFloat,
        Field(description="How far it may be ahead of it; how much the clocks of all machines may differ."),
    ] = 300
    inbox_keep_days: Annotated[
        PositiveInt, Field(description="How long the inbox remembers a decided command, at least.")
    ] = 30
    outbox_keep_days: Annotated[
        PositiveInt, Field(description="Whole days for which published rows stay in the outbox.")
    ] = 14
    outbox_drop_delay_seconds: Annotated[
        PositiveFloat,
        Field(description="How long a partition that was detached from the outbox stays in the database."),
    ] = 86400
    inbox_prune_max_rows: Annotated[
        PositiveInt, Field(description="Inbox rows that are deleted by one transaction at most.")
    ] = 1000
    inbox_prune_pause_seconds: Annotated[PositiveFloat, Field(description="Between two such transactions.")] = 0.05
    inbox_prune_interval_seconds: Annotated[
        PositiveFloat, Field(description="Between two looks for inbox rows to delete.")
    ] = 60
