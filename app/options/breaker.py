"""How many records may become dead letters before a partition is stopped."""

from typing import Annotated

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

Share = Annotated[float, Field(ge=0, le=1)]


class BreakerOptions(BaseModel):
    """How many records may become dead letters before a partition is stopped."""

    breaker_consecutive_records: Annotated[
        NonNegativeInt,
        Field(description="So many dead letters in a row a partition may have; the next one stops it. 0: any number."),
    ] = 20
    breaker_share: Annotated[
        Share,
        Field(
            description="A partition is stopped in front of a dead letter that makes them more than this part of its"
            " last records (the next setting). 0: any part."
        ),
    ] = 0.5
    breaker_recent_records: Annotated[
        PositiveInt, Field(description="So many records are its last; before there are, the part is not looked at.")
    ] = 200
    breaker_overall_consecutive_records: Annotated[
        NonNegativeInt,
        Field(
            description="The same of all partitions of a process together; each stops at its next one. 0: any number."
        ),
    ] = 100
    breaker_overall_share: Annotated[
        Share, Field(description="The same of all partitions of a process together. 0: any part.")
    ] = 0.5
    breaker_overall_recent_records: Annotated[
        PositiveInt, Field(description="So many records are the last of all partitions together.")
    ] = 1000
