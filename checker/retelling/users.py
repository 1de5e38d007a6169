"""What the events of users do to the tables."""

from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings, read_time


def _user_registered(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.users[data["user_id"]] = {
        "is_active": True,
        "email_verified": False,
        "plan_tier": data["plan_tier"],
        "created_at": read_time(data["registered_at"]),
        "deleted_at": None,
        "erased_at": None,
    }


def _nothing_told(rebuilt: Rebuilt, data: Data) -> None:
    """What is personal or secret is not told by events; but there must be somebody."""
    rebuilt.users[data["user_id"]] |= {}


def _plan_tier_changed(rebuilt: Rebuilt, data: Data) -> None:
    user = rebuilt.users[data["user_id"]]
    if user["plan_tier"] != data["from_tier"]:
        raise ValueError(f"{data['user_id']} is not on the {data['from_tier']} tier")
    user["plan_tier"] = data["to_tier"]


def _email_verified(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.users[data["user_id"]]["email_verified"] = True


def _email_changed(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.users[data["user_id"]]["email_verified"] = False


def _user_deactivated(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.users[data["user_id"]] |= {"is_active": False, "deleted_at": read_time(data["deactivated_at"])}


def _user_reactivated(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.users[data["user_id"]] |= {"is_active": True, "deleted_at": None}


def _user_deleted(rebuilt: Rebuilt, data: Data) -> None:
    user, erased_at = rebuilt.users[data["user_id"]], read_time(data["erased_at"])
    user |= {"is_active": False, "email_verified": False, "erased_at": erased_at}
    user["deleted_at"] = user["deleted_at"] or erased_at


RETELL: Final[Retellings] = {
    "user.registered.v1": _user_registered,
    "user.renamed.v1": _nothing_told,
    "user.plan-tier-changed.v1": _plan_tier_changed,
    "user.email-verified.v1": _email_verified,
    "user.password-hash-set.v1": _nothing_told,
    "user.deactivated.v1": _user_deactivated,
    "user.reactivated.v1": _user_reactivated,
    "user.deleted.v1": _user_deleted,
    "user.email-changed.v1": _email_changed,
}
