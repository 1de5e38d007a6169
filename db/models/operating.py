"""The tables of operating: what runs, what it was told, who changed what."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Moment


class Process(Base):
    """A running consumer or relay, as it last described itself."""

    __tablename__ = "processes"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[Moment]
    heartbeat_at: Mapped[Moment]
    state: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Control(Base):
    """What an operator asked of a target, such as a paused partition."""

    __tablename__ = "controls"

    target: Mapped[str] = mapped_column(Text, primary_key=True)
    action: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[Moment]


class AuditEntry(Base):
    """Something an operator did, with the state before and after."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[Moment]
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
