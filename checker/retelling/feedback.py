"""What the events of feedback do to the tables."""

from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings, read_time


def _feedback_submitted(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.feedback[data["feedback_id"]] = {
        "squad_id": data["squad_id"],
        "task_id": data.get("task_id"),
        "user_id": data.get("user_id"),
        "rating": data["rating"],
        "created_at": read_time(data["submitted_at"]),
        "withdrawn_at": None,
    }


def _feedback_withdrawn(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.feedback[data["feedback_id"]]["withdrawn_at"] = read_time(data["withdrawn_at"])


RETELL: Final[Retellings] = {
    "squad.feedback-submitted.v1": _feedback_submitted,
    "squad.feedback-withdrawn.v1": _feedback_withdrawn,
}
