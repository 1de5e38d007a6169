"""One message of each type, whose encoded form is golden: a module for each subject."""

from typing import Any

from messages.outcome import CommandOutcome, Outcome
from tests.contracts.examples import feedback, members, projects, squads, tasks, usage, users
from tests.contracts.examples.things import USER

EXAMPLES: dict[str, Any] = {
    **users.EXAMPLES,
    **squads.EXAMPLES,
    **members.EXAMPLES,
    **projects.EXAMPLES,
    **tasks.EXAMPLES,
    **feedback.EXAMPLES,
    **usage.EXAMPLES,
    "squad.command-outcome.v1": CommandOutcome(
        source="/tests",
        id="1",
        type="squad.create.v1",
        outcome=Outcome.REJECTED,
        code="user-not-found",
        detail=f"User {USER} not found",
        retryable=True,
    ),
}
