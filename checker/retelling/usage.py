"""What the events of usage do to the tables."""

from typing import Any, Final

from checker.rebuilt import Data, Rebuilt, Retellings, usage_key


def _usage_recorded(rebuilt: Rebuilt, data: Data) -> None:
    usage = _usage(rebuilt, data)
    usage["value"] += data["amount"]
    if usage["value"] != data["value"]:
        raise ValueError(f"{data['value']} of {data['metric']} were told, but they add up to {usage['value']}")


def _usage_limit_set(rebuilt: Rebuilt, data: Data) -> None:
    _usage(rebuilt, data)["limit_value"] = data.get("limit")


def _usage_limit_crossed(rebuilt: Rebuilt, data: Data) -> None:
    """It changes nothing, but must be true."""
    usage = _usage(rebuilt, data)
    if (usage["limit_value"], usage["value"]) != (data["limit"], data["value"]) or data["value"] <= data["limit"]:
        raise ValueError(f"{data['value']} of {data['metric']} do not cross {data['limit']}: {usage}")


def _usage(rebuilt: Rebuilt, data: Data) -> dict[str, Any]:
    key = usage_key(data["squad_id"], data["metric"], f"{data['month']}-01")
    return rebuilt.usage.setdefault(key, {"squad_id": data["squad_id"], "value": 0, "limit_value": None})


RETELL: Final[Retellings] = {
    "squad.usage-recorded.v1": _usage_recorded,
    "squad.usage-limit-set.v1": _usage_limit_set,
    "squad.usage-limit-crossed.v1": _usage_limit_crossed,
}
