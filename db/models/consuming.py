"""The tables of consuming: how far, what was decided, what could not be applied."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Key, Moment


class Checkpoint(Base):
    """How far a consumer group has come in a partition; the truth, where Kafka's group offset is only a courtesy."""

    __tablename__ = "checkpoints"

    consumer_group: Mapped[str] = mapped_column(Text, primary_key=True)
    topic: Mapped[str] = mapped_column(Text, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    next_offset: Mapped[int] = mapped_column(BigInteger)
    last_timestamp: Mapped[Moment | None]
    last_checksum: Mapped[int | None] = mapped_column(BigInteger)
    caught_up_at: Mapped[Moment | None]
    accepted_at: Mapped[Moment | None] = mapped_column(comment="when an operator last moved it")


class InboxCommand(Base):
    """A command that was decided, with the outcome as it was encoded."""

    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_ce_time", "ce_time"),)

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    command_id: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    correlation_id: Mapped[str] = mapped_column(Text)
    payload_hash: Mapped[bytes] = mapped_column(LargeBinary)
    outcome: Mapped[str] = mapped_column(Text)
    outcome_revision: Mapped[int] = mapped_column(Integer)
    outcome_final: Mapped[bool]
    outcome_body: Mapped[bytes] = mapped_column(LargeBinary)
    event_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    topic: Mapped[str] = mapped_column(Text)
    partition: Mapped[int] = mapped_column(Integer)
    record_offset: Mapped[int] = mapped_column(BigInteger)
    ce_time: Mapped[Moment]
    decided_at: Mapped[Moment] = mapped_column(comment="the record's Kafka time, by which it was decided")
    recorded_at: Mapped[Moment] = mapped_column(comment="when the transaction that decided it began")
    reply_to: Mapped[str | None] = mapped_column(Text, comment="the topic to which its outcome goes too")


class InboxFloor(Base):
    """Inbox rows of commands older than this are gone (one row)."""

    __tablename__ = "inbox_floor"
    __table_args__ = (CheckConstraint("only_row", name="one_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    pruned_before: Mapped[Moment]


class DeadLetter(Base):
    """A record nobody could apply, whole."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'redriving', 'redriven', 'discarded')", name="state_known"),
        Index(
            "uq_dead_letters_topic_partition_record_offset_timestamp",
            "topic",
            "partition",
            "record_offset",
            "timestamp",
            unique=True,
        ),
        Index("ix_dead_letters_state", "state", "first_at"),
        Index(
            "ix_dead_letters_source_command_id",
            "source",
            "command_id",
            postgresql_where=text("state IN ('open', 'redriving')"),
        ),
    )

    id: Mapped[Key]
    topic: Mapped[str] = mapped_column(Text)
    partition: Mapped[int] = mapped_column(Integer)
    record_offset: Mapped[int] = mapped_column(BigInteger)
    timestamp: Mapped[Moment]
    key: Mapped[bytes | None] = mapped_column(LargeBinary)
    value: Mapped[bytes | None] = mapped_column(LargeBinary)
    header_names: Mapped[list[str]] = mapped_column(ARRAY(Text))
    header_values: Mapped[list[bytes | None]] = mapped_column(ARRAY(LargeBinary))
    source: Mapped[str | None] = mapped_column(Text)
    command_id: Mapped[str | None] = mapped_column(Text)
    type: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default="1")
    first_at: Mapped[Moment] = mapped_column(server_default=text("now()"))
    last_at: Mapped[Moment] = mapped_column(server_default=text("now()"))
    state: Mapped[str] = mapped_column(Text, server_default="open")
    replay_count: Mapped[int] = mapped_column(Integer, server_default="0")


class ParkedStream(Base):
    """A stream whose commands wait behind a dead letter; the row is the lock of parking, redrive and discard."""

    __tablename__ = "parked_streams"
    __table_args__ = (Index("ix_parked_streams_dead_letter_id", "dead_letter_id"),)

    stream: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    dead_letter_id: Mapped[UUID] = mapped_column(ForeignKey("dead_letters.id", ondelete="RESTRICT"))
    since: Mapped[Moment]


class ParkedRecord(Base):
    """A raw record that waits, in order, behind the dead letter of its stream."""

    __tablename__ = "parked"

    stream: Mapped[UUID] = mapped_column(ForeignKey("parked_streams.stream", ondelete="RESTRICT"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    topic: Mapped[str] = mapped_column(Text)
    partition: Mapped[int] = mapped_column(Integer)
    record_offset: Mapped[int] = mapped_column(BigInteger)
    timestamp: Mapped[Moment]
    key: Mapped[bytes | None] = mapped_column(LargeBinary)
    value: Mapped[bytes | None] = mapped_column(LargeBinary)
    header_names: Mapped[list[str]] = mapped_column(ARRAY(Text))
    header_values: Mapped[list[bytes | None]] = mapped_column(ARRAY(LargeBinary))
    source: Mapped[str | None] = mapped_column(Text)
    command_id: Mapped[str | None] = mapped_column(Text)
    type: Mapped[str | None] = mapped_column(Text)
    parked_at: Mapped[Moment] = mapped_column(server_default=text("now()"))
