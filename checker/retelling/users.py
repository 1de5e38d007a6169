"""What the events of users do to the tables."""

from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings, read_time


def _user_registered(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.users[data["user_id"]] = {"plan_tier": data["plan_tier"], "created_at": read_time(data["registered_at"])}


RETELL: Final[Retellings] = {
    "user.registered.v1": _user_registered,
}
