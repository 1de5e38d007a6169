"""The command line: what it loads, what it answers to mistakes."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "squad"
HEAVY = ("sqlalchemy", "aiokafka", "pydantic", "asyncpg", "alembic")


def squad(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUAD_")} | settings
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, env=environment, check=False)


def test_help_loads_no_heavy_library():
    program = (
        "import sys, contextlib\n"
        "from app.cli.main import app\n"
        "with contextlib.suppress(SystemExit): app(['--help'])\n"
        f"sys.exit(','.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    for command in (
        "demo",
        "up",
        "down",
        "run",
        "consume",
        "relay",
        "send",
        "events",
        "outcomes",
        "commands",
        "migrate",
    ):
        assert f" {command} " in result.stdout


def test_release_is_told():
    result = squad("--version")

    assert (result.returncode, result.stdout) == (0, f"{version('agent-squad')}\n")


def test_settings_are_shown_with_their_origin():
    result = squad("settings", "--json", SQUAD_LANES="3")

    shown = {row["setting"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert result.returncode == 0
    assert shown["SQUAD_LANES"] | {"meaning": ""} == {
        "setting": "SQUAD_LANES",
        "value": "3",
        "origin": "environment SQUAD_LANES",
        "meaning": "",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("send", "squad.create.v9", "{}"), "unknown command type squad.create.v9"),
        (("send", "squad.complete-task.v1", "{"), "data does not fit squad.complete-task.v1"),
        (("send", "squad.complete-task.v1", '{"task_id": "x"}'), "squad_id: Field required"),
        (("send",), "Missing argument"),
        (("nonsense",), "No such command"),
    ],
)
def test_usage_errors_are_told_and_exit_with_2(arguments, said):
    result = squad(*arguments)

    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_wrong_with_a_command_is_told_without_its_values():
    secret = "ada.lovelace"
    data = json.dumps({"user_id": secret, "email": secret, "name": [secret], f"{secret}@example.org": 1})

    result = squad("send", "user.register.v1", data)

    assert result.returncode == 2
    assert all(f"{field}: " in result.stderr for field in ("user_id", "email", "name"))
    assert secret not in result.stderr + result.stdout


def test_malformed_setting_exits_with_2():
    result = squad("settings", SQUAD_LANES="many")

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("SQUAD_LANES: ")


@pytest.mark.parametrize("arguments", [("migrate",), ("commands", "show", "1")])
def test_unreachable_database_exits_with_3(arguments):
    result = squad(*arguments, SQUAD_DATABASE_URL="postgresql+asyncpg://squad@127.0.0.1:1/squad")

    assert result.returncode == 3
    assert "cannot reach PostgreSQL (SQUAD_DATABASE_URL)" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [("topics", "create"), ("consume",), ("events", "tail")])
def test_unreachable_broker_exits_with_3(arguments):
    result = squad(*arguments, SQUAD_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert result.returncode == 3
    assert "cannot reach Kafka (SQUAD_KAFKA_BOOTSTRAP_SERVERS)" in result.stderr
    assert "Traceback" not in result.stderr
