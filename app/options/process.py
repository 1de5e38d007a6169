"""How a process describes itself."""

from typing import Annotated

from pydantic import BaseModel, Field, PositiveFloat


class ProcessOptions(BaseModel):
    """How a process describes itself."""

    heartbeat_interval_seconds: Annotated[
        PositiveFloat, Field(description="How often a process describes itself in the table `processes`.")
    ] = 3
