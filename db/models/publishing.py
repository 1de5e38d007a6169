"""The tables of publishing: what is to be sent, and how far the relays have come."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    SmallInteger,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Moment, PgSnapshot, Xid8

POSITIONS = Sequence("outbox_position", metadata=Base.metadata, data_type=BigInteger, cache=1)
"""CACHE 1: with more, later rows get lower positions. It jumps to each day's range (outbox/partitions.py)."""


class OutboxRow(Base):
    """One message to publish: never updated, never deleted; whole partitions are dropped when they are old enough."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_txid_position", "txid", "position"),
        {"postgresql_partition_by": "RANGE (position)"},
    )

    position: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, server_default=POSITIONS.next_value()
    )
    txid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    recorded_at: Mapped[Moment] = mapped_column(server_default=text("now()"))
    time: Mapped[Moment]
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    slot: Mapped[int] = mapped_column(SmallInteger)
    event_id: Mapped[UUID] = mapped_column(Uuid)
    topic: Mapped[str] = mapped_column(Text)
    key: Mapped[bytes | None] = mapped_column(LargeBinary)
    type: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    correlation_id: Mapped[str | None] = mapped_column(Text)
    causation_id: Mapped[str | None] = mapped_column(Text)
    traceparent: Mapped[str | None] = mapped_column(Text)
    dataschema: Mapped[str | None] = mapped_column(Text)
    content_type: Mapped[str | None] = mapped_column(Text)
    extensions: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    header_names: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    header_values: Mapped[list[bytes | None] | None] = mapped_column(ARRAY(LargeBinary))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class RelayCursor(Base):
    """How far the relay of a shard has come: the last closed window's snapshot, and the place in the open one."""

    __tablename__ = "relay_cursors"
    __table_args__ = (
        CheckConstraint("0 <= slot_from AND slot_from <= slot_to AND slot_to <= 1023", name="slots_in_range"),
        # Two relays for one key would publish it twice, and out of order.
        ExcludeConstraint(
            (text("int4range(slot_from, slot_to, '[]')"), "&&"), name="ex_relay_cursors_slots", using="gist"
        ),
    )

    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    slot_from: Mapped[int] = mapped_column(SmallInteger)
    slot_to: Mapped[int] = mapped_column(SmallInteger)
    previous: Mapped[str] = mapped_column(PgSnapshot)
    current: Mapped[str | None] = mapped_column(PgSnapshot)
    high: Mapped[int | None] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger)
    system_identifier: Mapped[int | None] = mapped_column(BigInteger)
    database_oid: Mapped[int | None] = mapped_column(BigInteger)
    outbox_oid: Mapped[int | None] = mapped_column(BigInteger)
    timeline: Mapped[int | None] = mapped_column(BigInteger)


class Lease(Base):
    """The right to be the active one of a name."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    holder: Mapped[str] = mapped_column(Text)
    epoch: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[Moment]


class HeldRow(Base):
    """An outbox row that waits: Kafka refused it, or one of its topic and key before it; or its place takes nothing.

    `awaits` is then the topic or partition; all lines of a topic and key have the same. The relay that leads the row's
    shard adds and removes lines; operators only ask for it, by the two flags.
    """

    __tablename__ = "held"
    __table_args__ = (
        CheckConstraint("reason <> ''", name="reason_given"),
        # Not over the key, which can be longer than an index takes; the slot narrows as well.
        Index("ix_held_slot_position", "slot", "position"),
        Index(
            "ix_held_asked_for",
            "position",
            postgresql_where=text("release_requested OR skip_requested OR divert_requested"),
        ),
        Index("ix_held_awaits", "awaits", "position", postgresql_where=text("awaits IS NOT NULL")),
    )

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    topic: Mapped[str] = mapped_column(Text)
    key: Mapped[bytes | None] = mapped_column(LargeBinary)
    slot: Mapped[int] = mapped_column(SmallInteger)
    reason: Mapped[str] = mapped_column(Text)
    since: Mapped[Moment] = mapped_column(server_default=text("now()"))
    release_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    skip_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    awaits: Mapped[str | None] = mapped_column(Text)
    divert_requested: Mapped[bool] = mapped_column(server_default=text("false"))
