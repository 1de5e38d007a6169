"""Every table, described once: the ORM's models, from which migrations are checked and the store's statements built."""

from db.models.base import Base
from db.models.consuming import Checkpoint, DeadLetter, InboxCommand, InboxFloor, ParkedRecord, ParkedStream
from db.models.operating import AuditEntry, Control, Process
from db.models.publishing import HeldRow, Lease, OutboxRow, RelayCursor
from db.models.squads import Squad, SquadMember
from db.models.users import User
from db.models.work import Feedback, Project, Task, UsageMetric

__all__ = [
    "AuditEntry",
    "Base",
    "Checkpoint",
    "Control",
    "DeadLetter",
    "Feedback",
    "HeldRow",
    "InboxCommand",
    "InboxFloor",
    "Lease",
    "OutboxRow",
    "ParkedRecord",
    "ParkedStream",
    "Process",
    "Project",
    "RelayCursor",
    "Squad",
    "SquadMember",
    "Task",
    "UsageMetric",
    "User",
]
