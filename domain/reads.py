"""What a batch has to load and lock before its first decision."""

from dataclasses import dataclass, field

from domain.state import UsageKey
from domain.values import FeedbackId, Id, MemberId, ProjectId, SquadId, TaskId, UserId


@dataclass(slots=True)
class Reads:
    """Collects what the commands of a batch declare.

    Roots map an id to whether it will be changed. A root that a command only looks at, and every row that a new row
    points to, is declared too: undeclared foreign-key checks take share locks late and deadlock.

    `emails` are keys for which is asked who has them, and so are those of the users `emails_of`, whom the batch loads;
    `owners` are users of whom is asked whether they own an active squad.
    """

    users: dict[UserId, bool] = field(default_factory=dict)
    squads: dict[SquadId, bool] = field(default_factory=dict)
    emails: set[str] = field(default_factory=set)
    emails_of: set[UserId] = field(default_factory=set)
    owners: set[UserId] = field(default_factory=set)
    members: set[MemberId] = field(default_factory=set)
    projects: set[ProjectId] = field(default_factory=set)
    tasks: set[TaskId] = field(default_factory=set)
    feedback: set[FeedbackId] = field(default_factory=set)
    usage: set[UsageKey] = field(default_factory=set)

    def user_to_read(self, user_id: UserId) -> None:
        """The user is looked at, and must not change until the batch is committed."""
        self.users.setdefault(user_id, False)

    def user_to_change(self, user_id: UserId) -> None:
        """The user's stream gets an event."""
        self.users[user_id] = True

    def squad_to_change(self, squad_id: SquadId) -> None:
        """The squad's stream gets an event."""
        self.squads[squad_id] = True

    def streams_to_change(self) -> list[Id]:
        """Give the streams that get events, users first."""
        roots = (self.users, self.squads)
        return [stream for each in roots for stream, to_change in each.items() if to_change]
