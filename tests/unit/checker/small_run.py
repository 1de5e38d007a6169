"""A run made by hand: a few commands, and everything that a service without faults leaves behind for them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from checker.evidence import (
    Evidence,
    Identity,
    InboxRow,
    LetterRow,
    OutboxRow,
    ParkedRow,
    Place,
    State,
    Tables,
    TopicDump,
    TopicRecord,
)
from checker.history import History
from domain import commands, events
from domain.values import PlanTier, Priority
from messages import ids
from messages.codec import encode_command
from messages.outcome import PROVISIONAL, CommandOutcome, Outcome
from messages.registry import COMMAND_TYPES, EVENTS, OUTCOME
from tests.making import NOON, SOURCE

COMMANDS, EVENTS_TOPIC, OUTCOMES, LETTERS, REPLIES = "commands", "events", "outcomes", "dead-letters", "replies"
Headers = Sequence[tuple[str, bytes | None]]

ADA, BOB = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
SQUAD, MEMBER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
PROJECT, TASK = "00000000-0000-4000-8000-000000000003", "00000000-0000-4000-8000-000000000004"


class SmallRun:
    """Lists to plant defects in; `evidence` gives them to the checker.

    Everything is in partition 0 of its topic. What commands have become is stored and published at once.
    """

    def __init__(self) -> None:
        self.history = History()
        self.topics: dict[str, list[TopicRecord]] = defaultdict(list)
        self.inbox: list[InboxRow] = []
        self.letters: list[LetterRow] = []
        self.outbox: list[OutboxRow] = []
        self.versions: dict[str, int] = defaultdict(int)
        self.tables: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.checkpoint: int | None = None
        self.held: set[int] = set()
        self.skipped: set[int] = set()
        self.diverted: set[int] = set()
        self.parked_streams: dict[str, str] = {}
        self.parked: list[ParkedRow] = []
        self.repeats_allowed: int | None = None
        self.healed_at: float | None = None
        self._numbers = count(1)
        self._recorded: dict[str, datetime] = {}

    def evidence(self) -> Evidence:
        end = len(self.topics[COMMANDS])
        return Evidence(
            history=self.history.attempts,
            commands=self._dump(COMMANDS),
            events=self._dump(EVENTS_TOPIC),
            outcomes=self._dump(OUTCOMES),
            dead_letters=self._dump(LETTERS),
            replies=[self._dump(REPLIES)],
            repeats_allowed=self.repeats_allowed,
            tables=Tables(
                inbox=self.inbox,
                letters=self.letters,
                outbox=self.outbox,
                checkpoints={0: end if self.checkpoint is None else self.checkpoint},
                versions=self.versions,
                state=State(**{name: self.tables[name] for name in State.__annotations__}),
                held=self.held,
                skipped=self.skipped,
                diverted=self.diverted,
                parked_streams=self.parked_streams,
                parked=self.parked,
            ),
            healed_at=self.healed_at,
            seed=7,
        )

    def _dump(self, name: str) -> TopicDump:
        return TopicDump(name=name, records=self.topics[name], begins={0: 0}, ends={0: len(self.topics[name])})

    def applied(self, command: commands.Command, event: events.Event) -> None:
        """Send a command that causes an event; its rows are the caller's to write."""
        command_id = self._send(command, "applied")
        key = command.stream_id
        self.versions[key] += 1
        event_id = ids.CommandIds(SOURCE, command_id).event(0)
        self.publish(
            EVENTS_TOPIC,
            event_id,
            key.encode(),
            EVENTS[type(event)].encode(event),
            [("ce_type", EVENTS[type(event)].name.encode()), ("ce_causationid", command_id.encode())],
            sequence=self.versions[key],
        )
        self._conclude(command, command_id, Outcome.APPLIED, None, [event_id])

    def applied_to_nothing(self, command: commands.Command) -> None:
        """Send a command that finds nothing to change."""
        self._conclude(command, self._send(command, "applied"), Outcome.APPLIED, None, [])

    def rejected(self, command: commands.Command, code: str) -> None:
        """Send a command that a rule refuses, and that wants its outcome on a topic of its own too."""
        command_id = self._send(command, f"rejected:{code}")
        self._conclude(command, command_id, Outcome.REJECTED, code, [], reply_to=REPLIES)
        answer = self.topics[OUTCOMES][-1]
        assert answer.key is not None
        self.publish(REPLIES, str(answer.header("ce_id")), answer.key, answer.value or b"", answer.headers[3:])

    def repeated(self) -> None:
        """Send the last command again: it is answered with the same outcome, recorded later."""
        sent = self.topics[COMMANDS][-1]
        self._keep(sent.key, sent.value, sent.headers, self.inbox[-1].identity.id, "applied")
        answer = self.topics[OUTCOMES][-1]
        assert answer.key is not None
        self.publish(OUTCOMES, str(answer.header("ce_id")), answer.key, answer.value or b"", answer.headers[3:])

    def with_wrong_key(self, command: commands.Command) -> None:
        """Send a command under another stream's key."""
        command_id = self._send(command, "dead-lettered:key-mismatch", key=b"elsewhere")
        self._letter("key-mismatch", SOURCE)
        self._conclude(command, command_id, Outcome.DEAD_LETTERED, "key-mismatch", [], key="elsewhere")

    def culprit(self, command: commands.Command) -> None:
        """Send a command that fails each time, and parks its stream."""
        command_id = self._send(command, "dead-lettered:unexpected")
        self._letter("unexpected", SOURCE)
        self._conclude(command, command_id, Outcome.DEAD_LETTERED, "unexpected", [])
        self.parked_streams[command.stream_id] = self.letters[-1].id

    def waiting(self, command: commands.Command) -> None:
        """Send a command that is parked."""
        self._conclude(command, self._send(command, "parked"), Outcome.PARKED, None, [])
        number = 1 + sum(each.stream == command.stream_id for each in self.parked)
        place = self.topics[COMMANDS][-1].place
        self.parked.append(ParkedRow(stream=command.stream_id, number=number, place=place))

    def unreadable(self) -> None:
        """Send noise."""
        self._keep(b"noise", b"\xff", [("x", b"\xfe")], None, "dead-lettered:unreadable")
        self._letter("unreadable", None)

    def publish(
        self, topic: str, message_id: str, key: bytes, body: bytes, headers: Headers, *, sequence: int | None = None
    ) -> None:
        """Write an outbox row and its record."""
        recorded_at = self._recorded.setdefault(message_id, self._now())
        self.outbox.append(
            OutboxRow(
                position=len(self.outbox) + 1,
                topic=topic,
                event_id=message_id,
                key=key,
                body=body,
                sequence=sequence,
                recorded_at=recorded_at,
            )
        )
        number = [] if sequence is None else [("ce_sequence", b"%019d" % sequence)]
        own = [
            ("ce_id", message_id.encode()),
            ("ce_time", NOON.isoformat().encode()),
            ("ce_recordedtime", recorded_at.isoformat().encode()),
        ]
        self.append(topic, key, body, [*(own if topic != LETTERS else []), *number, *headers])

    def append(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Place:
        """Put a record at a topic's end."""
        place = Place(0, len(self.topics[topic]))
        self.topics[topic].append(TopicRecord(place=place, key=key, value=value, headers=tuple(headers)))
        return place

    def remove(self, topic: str, index: int) -> None:
        """Take a record out of a topic, as if it had never come."""
        left = [record for number, record in enumerate(self.topics[topic]) if number != index]
        self.topics[topic] = [replace(record, place=Place(0, number)) for number, record in enumerate(left)]

    def _now(self) -> datetime:
        return NOON + timedelta(seconds=next(self._numbers))

    def _send(self, command: commands.Command, expected: str, *, key: bytes | None = None) -> str:
        command_id = f"command-{next(self._numbers)}"
        own_key, value, headers = encode_command(command, command_id=command_id, source=SOURCE, time=NOON)
        self._keep(key or own_key, value, headers, command_id, expected)
        return command_id

    def _keep(
        self, key: bytes | None, value: bytes | None, headers: Headers, command_id: str | None, expected: str
    ) -> None:
        source = None if command_id is None else SOURCE
        number = self.history.invoke(
            kind="valid", source=source, id=command_id, key=key, expected=expected, intended_at=NOON.timestamp()
        )
        place = self.append(COMMANDS, key, value, headers)
        self.history.ok(number, place.partition, place.offset)

    def _letter(self, reason: str, source: str | None) -> None:
        sent = self.topics[COMMANDS][-1]
        letter_id = ids.dead_letter_id(COMMANDS, 0, sent.place.offset, 0)
        self.letters.append(
            LetterRow(id=letter_id, place=sent.place, key=sent.key, value=sent.value, source=source, reason=reason)
        )
        told = {"id": letter_id, "partition": "0", "offset": str(sent.place.offset), "reason": reason}
        headers = [*sent.headers, *((f"dead-letter-{name}", text.encode()) for name, text in told.items())]
        self.publish(LETTERS, letter_id, sent.key or b"", sent.value or b"", headers)

    def _conclude(
        self,
        command: commands.Command,
        command_id: str,
        outcome: Outcome,
        code: str | None,
        event_ids: list[str],
        *,
        key: str | None = None,
        reply_to: str | None = None,
    ) -> None:
        type_name, is_final = COMMAND_TYPES[type(command)].name, outcome not in PROVISIONAL
        told = CommandOutcome(
            source=SOURCE,
            id=command_id,
            type=type_name,
            outcome=outcome,
            code=code,
            final=is_final,
            event_ids=tuple(event_ids),
        )
        row = InboxRow(
            identity=Identity(SOURCE, command_id),
            type=type_name,
            key=key or command.stream_id,
            outcome=outcome,
            revision=1,
            final=is_final,
            body=OUTCOME.encode(told),
            event_ids=tuple(event_ids),
            place=self.topics[COMMANDS][-1].place,
            reply_to=reply_to,
        )
        self.inbox.append(row)
        cause = [("ce_causationid", command_id.encode())]
        self.publish(OUTCOMES, ids.CommandIds(SOURCE, command_id).outcome(1), row.key.encode(), row.body, cause)


def make_waiting_run() -> SmallRun:
    """Make a run at whose end a squad waits: a dead letter, and two commands behind it."""
    run = make_small_run()
    complete = commands.CompleteTask(squad_id=SQUAD, task_id=TASK)
    run.culprit(complete)
    run.waiting(complete)
    run.waiting(complete)
    return run


def make_small_run() -> SmallRun:
    """Make a run of eleven records in which nothing is wrong."""
    run = SmallRun()
    for user_id in (ADA, BOB):
        registered = events.UserRegistered(user_id=user_id, plan_tier=PlanTier.FREE, registered_at=NOON)
        run.applied(commands.RegisterUser(user_id=user_id, email=f"{user_id}@example.org", name="User"), registered)
        run.tables["users"][user_id] = {
            "is_active": True,
            "email_verified": False,
            "plan_tier": "free",
            "created_at": NOON,
            "deleted_at": None,
            "erased_at": None,
        }
    run.applied(
        commands.CreateSquad(squad_id=SQUAD, user_id=ADA, name="First", roles=("developer",)),
        events.SquadCreated(
            squad_id=SQUAD,
            user_id=ADA,
            name="First",
            members=(events.NewMember(member_id=MEMBER, role="developer"),),
            created_at=NOON,
        ),
    )
    run.applied(
        commands.CreateProject(squad_id=SQUAD, project_id=PROJECT, name="Project"),
        events.ProjectCreated(squad_id=SQUAD, project_id=PROJECT, name="Project"),
    )
    run.applied(
        commands.CreateTask(squad_id=SQUAD, project_id=PROJECT, task_id=TASK, title="Task"),
        events.TaskCreated(squad_id=SQUAD, project_id=PROJECT, task_id=TASK, title="Task", priority=Priority.NORMAL),
    )
    run.applied(
        commands.CompleteTask(squad_id=SQUAD, task_id=TASK),
        events.TaskCompleted(squad_id=SQUAD, project_id=PROJECT, task_id=TASK, completed_at=NOON),
    )
    run.applied(
        commands.TransferSquadOwnership(squad_id=SQUAD, new_owner_id=BOB),
        events.SquadOwnershipTransferred(squad_id=SQUAD, from_user_id=ADA, to_user_id=BOB),
    )
    run.repeated()
    run.rejected(commands.CompleteTask(squad_id=SQUAD, task_id=TASK), "cannot-complete-completed-task")
    run.with_wrong_key(commands.CompleteTask(squad_id=SQUAD, task_id=TASK))
    run.unreadable()
    run.tables["squads"][SQUAD] = {
        "user_id": BOB,
        "name": "First",
        "description": None,
        "status": "active",
        "created_at": NOON,
    }
    run.tables["members"][MEMBER] = {
        "squad_id": SQUAD,
        "user_id": None,
        "role": "developer",
        "created_at": NOON,
        "removed_at": None,
    }
    run.tables["projects"][PROJECT] = {"squad_id": SQUAD, "name": "Project", "status": "active", "created_at": NOON}
    run.tables["tasks"][TASK] = {
        "squad_id": SQUAD,
        "project_id": PROJECT,
        "title": "Task",
        "priority": "normal",
        "status": "completed",
        "assignee_id": None,
        "created_at": NOON,
        "completed_at": NOON.astimezone(UTC),
    }
    return run
