"""What requests and responses hold."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from domain.values import Email, PersonName, PlanTier


class NewUser(BaseModel):
    """Whoever registers."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    name: PersonName


class NewName(BaseModel):
    """What a user is called from now on."""

    model_config = ConfigDict(extra="forbid")

    name: PersonName


class ShownUser(BaseModel):
    """A user as everybody may see them: what is not named here is never shown."""

    id: UUID
    email: str
    name: str
    is_active: bool
    email_verified: bool
    plan_tier: PlanTier
    created_at: datetime


class Said(BaseModel):
    """A sentence."""

    message: str


class Counted(BaseModel):
    """How many users there are."""

    users: int


class Undecided(BaseModel):
    """A command that has no outcome yet, or was never sent: nobody can tell the two apart."""

    source: str
    id: str
    outcome: None = None


class ShownOutcome(BaseModel):
    """What became of a command, as in `squad.command-outcome.v1`."""

    model_config = ConfigDict(extra="allow")

    source: str
    id: str
    type: str
    outcome: Annotated[str, Field(description="applied, rejected, expired, parked or dead-lettered.")]
    code: str | None
    detail: str | None
    errors: dict[str, str]
    retryable: bool
    final: bool
    revision: int
    version: int | None
    event_ids: list[str]
    refused: dict[str, str]
    found: dict[str, str]
