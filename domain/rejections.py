"""Why a rule says no: a closed list of codes. A rejection is an answer to the producer, not an error."""

from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """The codes that an outcome can carry; contracts with producers, so never renamed."""

    EMAIL_TAKEN = "email-taken"
    USER_EXISTS = "user-exists"
    USER_ERASED = "user-erased"
    USER_NOT_FOUND = "user-not-found"
    USER_INACTIVE = "user-inactive"
    USER_OWNS_SQUADS = "user-owns-squads"
    CANNOT_DEACTIVATE_DEACTIVATED_USER = "cannot-deactivate-deactivated-user"
    CANNOT_REACTIVATE_ACTIVE_USER = "cannot-reactivate-active-user"
    SAME_NAME = "same-name"
    SAME_PLAN_TIER = "same-plan-tier"
    SAME_EMAIL = "same-email"
    OTHER_EMAIL = "other-email"
    CANNOT_VERIFY_VERIFIED_EMAIL = "cannot-verify-verified-email"
    SQUAD_EXISTS = "squad-exists"
    SQUAD_NOT_FOUND = "squad-not-found"
    SQUAD_DISBANDED = "squad-disbanded"
    CANNOT_DISBAND_DISBANDED_SQUAD = "cannot-disband-disbanded-squad"
    SQUAD_HAS_OPEN_TASKS = "squad-has-open-tasks"
    SAME_OWNER = "same-owner"
    SAME_DESCRIPTION = "same-description"
    MEMBER_NOT_FOUND = "member-not-found"
    MEMBER_REMOVED = "member-removed"
    CANNOT_REMOVE_REMOVED_MEMBER = "cannot-remove-removed-member"
    SAME_ROLE = "same-role"
    SEAT_TAKEN = "seat-taken"
    SEAT_EMPTY = "seat-empty"
    PROJECT_EXISTS = "project-exists"
    PROJECT_NOT_FOUND = "project-not-found"
    PROJECT_ARCHIVED = "project-archived"
    PROJECT_HAS_OPEN_TASKS = "project-has-open-tasks"
    CANNOT_ARCHIVE_ARCHIVED_PROJECT = "cannot-archive-archived-project"
    CANNOT_REOPEN_ACTIVE_PROJECT = "cannot-reopen-active-project"
    TASK_EXISTS = "task-exists"
    TASK_NOT_FOUND = "task-not-found"
    TASK_NOT_OPEN = "task-not-open"
    SAME_ASSIGNEE = "same-assignee"
    SAME_PRIORITY = "same-priority"
    CANNOT_START_IN_PROGRESS_TASK = "cannot-start-in-progress-task"
    CANNOT_START_COMPLETED_TASK = "cannot-start-completed-task"
    CANNOT_START_CANCELLED_TASK = "cannot-start-cancelled-task"
    CANNOT_COMPLETE_COMPLETED_TASK = "cannot-complete-completed-task"
    CANNOT_COMPLETE_CANCELLED_TASK = "cannot-complete-cancelled-task"
    CANNOT_CANCEL_COMPLETED_TASK = "cannot-cancel-completed-task"
    CANNOT_CANCEL_CANCELLED_TASK = "cannot-cancel-cancelled-task"
    CANNOT_REOPEN_PENDING_TASK = "cannot-reopen-pending-task"
    CANNOT_REOPEN_IN_PROGRESS_TASK = "cannot-reopen-in-progress-task"
    FEEDBACK_EXISTS = "feedback-exists"
    FEEDBACK_NOT_FOUND = "feedback-not-found"
    CANNOT_WITHDRAW_WITHDRAWN_FEEDBACK = "cannot-withdraw-withdrawn-feedback"
    USAGE_TOO_HIGH = "usage-too-high"
    SAME_LIMIT = "same-limit"
    VERSION_MISMATCH = "version-mismatch"
    EXPIRED = "expired"


RETRYABLE: Final = frozenset(
    {
        Code.USER_NOT_FOUND,
        Code.USER_INACTIVE,
        Code.USER_OWNS_SQUADS,
        Code.SQUAD_NOT_FOUND,
        Code.SQUAD_HAS_OPEN_TASKS,
        Code.MEMBER_NOT_FOUND,
        Code.SEAT_TAKEN,
        Code.SEAT_EMPTY,
        Code.PROJECT_NOT_FOUND,
        Code.PROJECT_ARCHIVED,
        Code.PROJECT_HAS_OPEN_TASKS,
        Code.TASK_NOT_FOUND,
        Code.FEEDBACK_NOT_FOUND,
        Code.EXPIRED,
    }
)
"""Codes where the same content may succeed later, under a new command id, because something else happened first."""


class Rejected(Exception):  # noqa: N818 - an answer, not an error
    """Raised by a handler, before it changes anything, when a rule refuses the command.

    Args:
        code: which rule.
        detail: a sentence for people.
    """

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
