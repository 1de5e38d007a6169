"""Where the HTTP API listens, and for what it waits."""

from typing import Annotated

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt


class HttpOptions(BaseModel):
    """Where the HTTP API listens, and for what it waits."""

    api_host: Annotated[
        str,
        Field(min_length=1, description="Address on which the HTTP API listens; it asks nobody who they are."),
    ] = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65535, description="Its port; 0: any that is free, which is logged.")] = (
        8080
    )
    api_source: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,255}$",
            description="CloudEvents `source` of its commands, a URI reference; the same for all its processes.",
        ),
    ] = "/agent-squad-api"
    api_wait_seconds: Annotated[
        NonNegativeFloat, Field(description="How long it waits for a command's outcome before it answers 202.")
    ] = 10
    api_poll_seconds: Annotated[
        PositiveFloat, Field(description="How often it looks for outcomes, all at once, while requests wait.")
    ] = 0.02
    api_send_timeout_seconds: Annotated[
        PositiveFloat, Field(description="How long Kafka may take to acknowledge a command before it answers 503.")
    ] = 5
    api_retry_after_seconds: Annotated[
        PositiveInt, Field(description="What it tells clients to wait before they ask again.")
    ] = 1
    api_body_max_bytes: Annotated[PositiveInt, Field(description="Of a request's body.")] = 16384
    api_stop_seconds: Annotated[
        PositiveFloat, Field(description="How long requests under way may take after SIGTERM.")
    ] = 10
