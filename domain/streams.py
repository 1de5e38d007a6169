"""What one Kafka key orders: a user, or a squad with everything inside it. Each has a root row with a version."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from domain.values import Id, SquadId, UserId


class StreamKind(StrEnum):
    """The two kinds of stream, named as their root tables' subjects."""

    USER = "user"
    SQUAD = "squad"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfUser:
    """A command or event whose stream, and so whose Kafka key, is a user."""

    stream_kind: ClassVar[StreamKind] = StreamKind.USER
    user_id: UserId

    @property
    def stream_id(self) -> Id:
        """The id of the user, which is the record's key."""
        return self.user_id


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSquad:
    """A command or event whose stream, and so whose Kafka key, is a squad."""

    stream_kind: ClassVar[StreamKind] = StreamKind.SQUAD
    squad_id: SquadId

    @property
    def stream_id(self) -> Id:
        """The id of the squad, which is the record's key."""
        return self.squad_id
