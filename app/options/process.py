"""How a process describes itself, and learns what it is told."""

from typing import Annotated

from pydantic import BaseModel, Field, PositiveFloat


class ProcessOptions(BaseModel):
    """How a process describes itself, and learns what it is told."""

    heartbeat_interval_seconds: Annotated[
        PositiveFloat, Field(description="How often a process describes itself in the table `processes`.")
    ] = 3
    controls_interval_seconds: Annotated[
        PositiveFloat, Field(description="How often a process looks what was paused or resumed.")
    ] = 2
    shutdown_seconds: Annotated[
        PositiveFloat,
        Field(
            description="How long a process that is told to end may take to finish what is under way; two seconds later"
            " it is gone, with exit code 4. Less than whoever tells it waits before killing it."
        ),
    ] = 40
