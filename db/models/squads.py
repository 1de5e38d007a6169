"""The tables of squads, roots of their streams, and of their members."""

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import Base, Key, Moment

if TYPE_CHECKING:
    from db.models.users import User
    from db.models.work import Project


class Squad(Base):
    """A squad with its owner."""

    __tablename__ = "squads"
    __table_args__ = (Index("ix_squads_user_id", "user_id"),)

    id: Mapped[Key]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Moment]
    version: Mapped[int] = mapped_column(BigInteger)

    owner: Mapped["User"] = relationship(back_populates="squads", viewonly=True)
    members: Mapped[list["SquadMember"]] = relationship(
        primaryjoin="and_(Squad.id == SquadMember.squad_id, SquadMember.removed_at.is_(None))",
        viewonly=True,
        order_by="(SquadMember.created_at, SquadMember.id)",
    )
    """Those who were not removed."""
    projects: Mapped[list["Project"]] = relationship(viewonly=True, order_by="(Project.created_at, Project.id)")


class SquadMember(Base):
    """A seat for an agent, or held by a person."""

    __tablename__ = "squad_members"
    __table_args__ = (
        Index("ix_squad_members_squad_id", "squad_id"),
        Index("ix_squad_members_seated", "user_id", postgresql_where=text("user_id IS NOT NULL")),
    )

    id: Mapped[Key]
    squad_id: Mapped[UUID] = mapped_column(ForeignKey("squads.id", ondelete="RESTRICT"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    role: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Moment]
    removed_at: Mapped[Moment | None]
