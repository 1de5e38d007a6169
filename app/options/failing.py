"""What is done with commands that cannot be applied, though nothing is wrong with them to see."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, field_validator
from pydantic_settings import NoDecode

from app.options.contract import split

PolicyName = Literal["park", "continue", "stop"]

_TYPE: Final = re.compile(r"[a-z0-9.-]{1,255}")


class FailingOptions(BaseModel):
    """What is done with commands that cannot be applied, though nothing is wrong with them to see."""

    failure_attempts: Annotated[
        PositiveInt, Field(description="How often a command that fails is tried alone before it is a dead letter.")
    ] = 3
    halving_attempts: Annotated[
        PositiveInt,
        Field(
            description="How often in a row a batch may meet a statement timeout, too little memory or a crash of"
            " the server, while the database answers otherwise, before it is halved to find the command that does it."
        ),
    ] = 3
    failure_policies: Annotated[
        Mapping[str, PolicyName],
        NoDecode,
        Field(
            description="What is done with commands that fail so often, by type: `park` later commands of their streams"
            " behind the dead letter, `continue` without it, or `stop` the partition in front of it; such as"
            " `squad.create-task.v1=continue,user.register.v1=stop`; `park` where nothing is said."
        ),
    ] = {}
    parked_stream_max_commands: Annotated[
        PositiveInt, Field(description="Commands parked behind one dead letter of a stream; then the partition stops.")
    ] = 10_000
    parked_max_commands: Annotated[
        PositiveInt,
        Field(
            description="Commands parked in all, about; one that writes two streams counts twice. Then the partition"
            " stops."
        ),
    ] = 100_000

    redrive_max_attempts: Annotated[
        PositiveInt,
        Field(description="How often a dead letter may be redriven in vain; then only `--force` tries it again."),
    ] = 3
    redrive_patience_seconds: Annotated[
        PositiveFloat, Field(description="How long a redrive meets transient failures by trying again before it ends.")
    ] = 60

    @field_validator("failure_policies", mode="before")
    @classmethod
    def _read_policies(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found: dict[str, str] = {}
        for part in split(value):
            name, _, policy = (each.strip() for each in part.partition("="))
            if not _TYPE.fullmatch(name) or policy not in get_args(PolicyName):
                raise ValueError(f"each is a type, =, and one of {', '.join(get_args(PolicyName))}")
            if name in found:
                raise ValueError("a type comes twice")
            found[name] = policy
        return found
