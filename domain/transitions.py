"""The state machines of all things: what a wish makes of each state, and why it cannot of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

from domain.rejections import Code, Rejected
from domain.values import (
    EmailStatus,
    FeedbackStatus,
    Id,
    MemberStatus,
    ProjectStatus,
    SquadStatus,
    TaskStatus,
    UserStatus,
)

Status = TypeVar("Status", bound=StrEnum)


NOT_FOUND: Final[frozenset[StrEnum]] = frozenset({UserStatus.ERASED})
"""States of what no rule finds any more: `…-not-found` is said of it, whatever the wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition(Generic[Status]):
    """What one wish does to a state.

    Args:
        wish: what is asked for, as a participle.
        leads_to: the state after it.
        refusals: the states that do not allow it, each with the code that says so; all others do but those of
            `NOT_FOUND`.
    """

    wish: str
    leads_to: Status
    refusals: Mapping[Status, Code]

    @property
    def allowed(self) -> Sequence[Status]:
        """The states that lead on by it."""
        return [state for state in type(self.leads_to) if state not in self.refusals and state not in NOT_FOUND]

    def check(self, kind: str, row_id: Id, status: Status) -> None:
        """Refuse the wish where the state does not allow it.

        Args:
            kind: what is to change, for people.
            row_id: which of them.
            status: its state.

        Raises:
            Rejected: with the code that names state and wish.
        """
        code = self.refusals.get(status)
        if code is not None:
            raise Rejected(code, f"{kind} {row_id} is {status}, so it cannot be {self.wish}")


START: Final = Transition(
    wish="started",
    leads_to=TaskStatus.IN_PROGRESS,
    refusals={
        TaskStatus.IN_PROGRESS: Code.CANNOT_START_IN_PROGRESS_TASK,
        TaskStatus.COMPLETED: Code.CANNOT_START_COMPLETED_TASK,
        TaskStatus.CANCELLED: Code.CANNOT_START_CANCELLED_TASK,
    },
)
COMPLETE: Final = Transition(
    wish="completed",
    leads_to=TaskStatus.COMPLETED,
    refusals={
        TaskStatus.COMPLETED: Code.CANNOT_COMPLETE_COMPLETED_TASK,
        TaskStatus.CANCELLED: Code.CANNOT_COMPLETE_CANCELLED_TASK,
    },
)
CANCEL: Final = Transition(
    wish="cancelled",
    leads_to=TaskStatus.CANCELLED,
    refusals={
        TaskStatus.COMPLETED: Code.CANNOT_CANCEL_COMPLETED_TASK,
        TaskStatus.CANCELLED: Code.CANNOT_CANCEL_CANCELLED_TASK,
    },
)
REOPEN: Final = Transition(
    wish="reopened",
    leads_to=TaskStatus.PENDING,
    refusals={
        TaskStatus.PENDING: Code.CANNOT_REOPEN_PENDING_TASK,
        TaskStatus.IN_PROGRESS: Code.CANNOT_REOPEN_IN_PROGRESS_TASK,
    },
)
ARCHIVE_PROJECT: Final = Transition(
    wish="archived",
    leads_to=ProjectStatus.ARCHIVED,
    refusals={ProjectStatus.ARCHIVED: Code.CANNOT_ARCHIVE_ARCHIVED_PROJECT},
)
REOPEN_PROJECT: Final = Transition(
    wish="reopened",
    leads_to=ProjectStatus.ACTIVE,
    refusals={ProjectStatus.ACTIVE: Code.CANNOT_REOPEN_ACTIVE_PROJECT},
)
DISBAND: Final = Transition(
    wish="disbanded",
    leads_to=SquadStatus.DISBANDED,
    refusals={SquadStatus.DISBANDED: Code.CANNOT_DISBAND_DISBANDED_SQUAD},
)
REMOVE: Final = Transition(
    wish="removed",
    leads_to=MemberStatus.REMOVED,
    refusals={MemberStatus.REMOVED: Code.CANNOT_REMOVE_REMOVED_MEMBER},
)
DEACTIVATE: Final = Transition(
    wish="deactivated",
    leads_to=UserStatus.DEACTIVATED,
    refusals={UserStatus.DEACTIVATED: Code.CANNOT_DEACTIVATE_DEACTIVATED_USER},
)
REACTIVATE: Final = Transition(
    wish="reactivated",
    leads_to=UserStatus.ACTIVE,
    refusals={UserStatus.ACTIVE: Code.CANNOT_REACTIVATE_ACTIVE_USER},
)
DELETE: Final = Transition(
    wish="deleted",
    leads_to=UserStatus.ERASED,
    refusals={},
)
VERIFY_EMAIL: Final = Transition(
    wish="verified",
    leads_to=EmailStatus.VERIFIED,
    refusals={EmailStatus.VERIFIED: Code.CANNOT_VERIFY_VERIFIED_EMAIL},
)
WITHDRAW_FEEDBACK: Final = Transition(
    wish="withdrawn",
    leads_to=FeedbackStatus.WITHDRAWN,
    refusals={FeedbackStatus.WITHDRAWN: Code.CANNOT_WITHDRAW_WITHDRAWN_FEEDBACK},
)
