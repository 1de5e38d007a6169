"""What a process tells of itself by HTTP, and when it counts as ill."""

from typing import Annotated

from pydantic import BaseModel, Field, PositiveFloat

from app.options.values import Absent


class MonitoringOptions(BaseModel):
    """What a process tells of itself by HTTP, and when it counts as ill."""

    monitoring_port: Annotated[
        Annotated[int, Field(ge=0, le=65_535)] | None,
        Absent,
        Field(
            description="Where a process answers `/metrics`, `/healthz` and `/readyz`; each process of a machine needs"
            " its own; 0: any that is free, which the log tells; empty: nowhere."
        ),
    ] = None
    monitoring_address: Annotated[
        str, Field(min_length=1, description="On which of the machine's addresses; `0.0.0.0`: on all.")
    ] = "127.0.0.1"
    monitoring_look_seconds: Annotated[
        PositiveFloat,
        Field(description="How often the database is asked for the metrics that stand there; a scrape never asks it."),
    ] = 15
    monitoring_ready_seconds: Annotated[
        PositiveFloat, Field(description="How long the database may be silent before `/readyz` is red.")
    ] = 15
    monitoring_alive_seconds: Annotated[
        PositiveFloat, Field(description="How long the event loop may stand still before `/healthz` is red.")
    ] = 30
    loop_lag_limit_seconds: Annotated[
        PositiveFloat,
        Field(description="How late the event loop may wake before the log says where it stands; once each time."),
    ] = 1
