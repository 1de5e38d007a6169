"""What each type of event does to the tables: a module for each subject, one closed table of all."""

from typing import Final

from checker.rebuilt import Retellings
from checker.retelling import feedback, members, projects, squads, tasks, usage, users

RETELL: Final[Retellings] = {
    **users.RETELL,
    **squads.RETELL,
    **members.RETELL,
    **projects.RETELL,
    **tasks.RETELL,
    **feedback.RETELL,
    **usage.RETELL,
}
"""By the event's CloudEvents type."""
