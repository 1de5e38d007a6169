"""The table of users, roots of their streams."""

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.models.base import COLLATED, Base, Key, Moment

if TYPE_CHECKING:
    from db.models.squads import Squad


class User(Base):
    """A user. Deleting for good erases the personal columns and keeps the row, so that its versions go on."""

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email_key", "email_key", unique=True),
        # With what users are chosen by, so that those who are not wanted are passed by without looking at their rows.
        Index(
            "ix_users_known",
            "created_at",
            "id",
            postgresql_include=["is_active", "email_verified", "plan_tier"],
            postgresql_where=text("erased_at IS NULL"),
        ),
        # Compared by code points, so that one index serves both the order and the search for a beginning.
        Index(
            "ix_users_name",
            text('lower(name) COLLATE "C"'),
            "id",
            postgresql_include=["name", "is_active", "email_verified", "plan_tier"],
            postgresql_where=text("erased_at IS NULL"),
            info={COLLATED: True},
        ),
    )

    id: Mapped[Key]
    email: Mapped[str | None] = mapped_column(Text)
    email_key: Mapped[str | None] = mapped_column(Text, comment="NFC, case-folded; null while deleted")
    name: Mapped[str | None] = mapped_column(Text)
    password_hash: Mapped[str | None] = mapped_column(Text, deferred=True)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    email_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    plan_tier: Mapped[str] = mapped_column(Text, server_default="free")
    created_at: Mapped[Moment]
    deleted_at: Mapped[Moment | None]
    erased_at: Mapped[Moment | None]
    version: Mapped[int] = mapped_column(BigInteger)

    squads: Mapped[list["Squad"]] = relationship(back_populates="owner", viewonly=True)
