"""Every limit of a long-lived part is a setting, or stands here with the reason why it is none."""

import ast
import importlib
import inspect
import pkgutil
import re
from dataclasses import is_dataclass
from pathlib import Path

import pytest
from annotated_types import Le

from app.options import limit_rules
from app.settings import PREFIX, Settings, SettingsError, variable
from consumers.dead_letters import KEPT_BYTES

GIGABYTE = 2**30 - 1
"""What PostgreSQL takes as one value. The driver says of more that the connection is lost, which is tried for ever."""

STREAMS = 3
"""Of how many a command can write at most; it is parked in each, in one statement for the batch."""

ROOT = Path(__file__).parents[3]
ROOMS = ("consumers", "outbox", "db")
UNIT = re.compile(r"(^|_)(seconds|bytes|rows|records|commands|size|ahead|days)$")
BUILT_WITHIN = {
    "Adoption": "built by Source, from nothing but a client: how soon a partition that failed is looked at again",
    "Applier": "built by Settler, of its own limits",
    "Assignment": "built by Source, of its own limits",
    "GroupOffsets": "built by Source, of its own limits",
    "LaneBuffer": "built by Source, of its own limits",
    "LastRecords": "built by Source: how long one record may take to be read again, once for each assignment",
    "Member": "built by Source, of its own limits",
    "Pages": "built by Relay, of its own limits",
    "Patience": "built by KafkaPublisher, of its own limits",
    "Polling": "built by Source, of its own limits",
    "Reader": "built by Pages, of its own limits",
    "Retries": "built by Reader, of its own limits",
    "Room": "built by Source: how often it is looked whether a partition that waits for room may go on",
    "Sending": "built by KafkaPublisher, of its own limits",
    "Settler": "built by Consumer, of its own limits",
    "Silence": "built by Polling, of its own limits",
    "DeployWait": "built by Spell and Applier, of their own limits",
    "Spell": "built by the parts whose failures it tells, of their own limits",
    "Succession": "built by Source, of its own limits",
    "Troubles": "built by KafkaPublisher, of its own limits",
}
"""Classes with a limit that the wiring does not build, and who does."""


def limits() -> dict[str, list[str]]:
    """The parameters with a unit, by the class that has them; of values, only of those that the wiring makes."""
    found: dict[str, list[str]] = {}
    passed = wired()
    for room in ROOMS:
        for module in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            for name, member in vars(importlib.import_module(module.name)).items():
                if not inspect.isclass(member) or member.__module__ != module.name or issubclass(member, Exception):
                    continue
                if is_dataclass(member) and name not in passed:
                    continue
                if "__init__" in vars(member) and not name.startswith("_"):
                    measured = [each for each in inspect.signature(member).parameters if UNIT.search(each)]
                    found |= {name: measured} if measured else {}
    return found


def wired() -> dict[str, dict[str, str]]:
    """What the wiring passes to each class, as it is written."""
    found: dict[str, dict[str, str]] = {}
    for path in [*(ROOT / "app/wiring").glob("*.py"), ROOT / "app/life.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = {each.arg: ast.unparse(each.value) for each in node.keywords if each.arg}
                found[node.func.id] = found.get(node.func.id, {}) | given
    return found


def test_every_limit_of_a_part_is_fed_from_a_setting() -> None:
    passed, unfed = wired(), []
    for name, parameters in limits().items():
        if name in passed and name not in BUILT_WITHIN:
            unfed += [f"{name}.{each}" for each in parameters if "settings." not in passed[name].get(each, "")]

    assert unfed == []


def test_every_class_with_a_limit_is_wired_or_built_by_one_that_is() -> None:
    assert {name for name in limits() if name not in wired()} <= set(BUILT_WITHIN)
    assert set(BUILT_WITHIN) <= set(limits()), "an exemption that nothing needs"


@pytest.mark.parametrize(("least", "most"), limit_rules._AT_MOST)
def test_limits_that_exceed_others_are_refused(monkeypatch, least, most):
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(variable(least), "1000")

    with pytest.raises(SettingsError, match=f"{variable(least)}: must be at most {variable(most)}"):
        Settings.load()


def test_no_setting_lets_a_statement_carry_a_gigabyte() -> None:
    """A batch's rows of a table are one value, and a record that is alone in its batch may be larger than the batch."""
    most = [KEPT_BYTES]
    for name in ("batch_max_bytes", "record_max_bytes"):
        [bound] = [each for each in Settings.model_fields[name].metadata if isinstance(each, Le)]
        assert isinstance(bound.le, int)
        most.append(bound.le)

    assert STREAMS * max(most) < GIGABYTE
