"""What must hold of every run, by name, and where it does not."""

from enum import StrEnum
from typing import NamedTuple


class Invariant(StrEnum):
    """The invariants."""

    ACKNOWLEDGED_KEPT = "every acknowledged record is on the commands topic"
    FAILED_ABSENT = "no record that failed to be sent is on the commands topic"
    AS_EXPECTED = "every command ended as its producer foresaw"

    DECIDED_ONCE = "every readable command has one inbox row, and every inbox row a command"
    LETTER_KEPT = "every record that cannot be applied is a dead letter, in the table and on the topic, and no other"
    ONE_CONTENT = (
        "of the records with one id, those with another content than the first are dead letters, and no others"
    )
    CONCLUDED = "every command has a final outcome, or waits: dead-lettered, or parked"
    PARKED_KEPT = "every parked command waits in its stream, and nothing else does"
    PARKED_IN_ORDER = "what waits in a stream is in the order of its partition, without gaps"
    NOT_OVERTAKEN = "nothing of a stream is decided before what waits in it"
    ANSWERED = "every readable record has an outcome, and every outcome a command"
    OUTCOME_STORED = "the outcome on the topic is the one that the inbox has"
    REPLIED = "a command's outcome is on the topic that it named for it too, and on no other"
    EFFECT_ONCE = "a command has the events that its outcome lists, and no others"
    TAKEN_IN_ORDER = "commands of a key take effect in the order in which they stand in their partition"
    CHECKPOINT_AT_END = "the checkpoints stand behind the last commands"

    PUBLISHED = "every outbox row is on its topic"
    NOTHING_ADDED = "every record on the topics is in the outbox"
    SENT_AS_STORED = "a message on a topic has the key, body and number of its outbox row"
    REPEATED_ALIKE = "a repeated message is the same in key, body and headers"
    REPEATED_LITTLE = "messages are repeated no more than a page per crash or broken connection"
    ONE_PARTITION = "all messages of a key are in one partition"
    ORDER_KEPT = "messages of a key come first in the order of the outbox"
    GAPLESS = "the events of a key are numbered 1, 2, 3 … in the order they come"
    VERSION_REACHED = "a stream's last event has the version of its root row"

    GOES_ON = "the next command after the faults is applied"

    STATE_REBUILT = "the tables are what the events tell"


class Fault(NamedTuple):
    """One place where an invariant does not hold."""

    invariant: Invariant
    example: str
