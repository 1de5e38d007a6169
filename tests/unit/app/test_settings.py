"""Settings: read from the environment only, checked by name, shown without secrets."""

import json
from typing import get_args

import pytest

from app.options.failing import PolicyName
from app.settings import PREFIX, Settings, SettingsError, masked, origin, variable
from app.wiring.applying import build_policies
from consumers.culprits import Policy


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def test_defaults_are_those_of_the_design():
    settings = Settings.load()

    assert (settings.batch_max_commands, settings.batch_max_bytes, settings.lanes) == (2_000, 4 * 2**20, 2)
    assert (settings.relay_page_max_rows, settings.relay_page_max_bytes) == (2_000, 16 * 2**20)
    assert (settings.statement_timeout_seconds, settings.lock_timeout_seconds) == (30, 5)
    assert (settings.lease_seconds, settings.lease_renew_seconds) == (10, 3)
    assert (settings.record_max_bytes, settings.record_max_headers, settings.record_max_json_depth) == (2**20, 64, 32)
    assert (settings.session_seconds, settings.heartbeat_seconds) == (45, 5)
    assert (settings.request_seconds, settings.rebalance_seconds) == (30, 20)


def test_environment_wins_and_says_so(monkeypatch):
    monkeypatch.setenv("SQUAD_LANES", "4")
    monkeypatch.setenv("SQUAD_COMMAND_SOURCES", "/shop,/admin")

    settings = Settings.load()

    assert (settings.lanes, settings.command_sources) == (4, ("/shop", "/admin"))
    assert origin(settings, "lanes") == "environment SQUAD_LANES"
    assert origin(settings, "first_start") == "default"


def test_sources_are_bound_to_types_by_a_json_object(monkeypatch):
    monkeypatch.setenv("SQUAD_COMMAND_SOURCES", '{"/shop?a=1,2": ["squad.*", "user.register.v1"], "/admin": ["*"]}')

    settings = Settings.load()

    assert settings.command_sources == {"/shop?a=1,2": ("squad.*", "user.register.v1"), "/admin": ("*",)}
    assert json.loads(masked("command_sources", settings.command_sources))["/admin"] == ["*"]


@pytest.mark.parametrize(("given", "read"), [("", None), ("0", 0), ("9464", 9464)])
def test_port_of_the_metrics_may_be_none_any_or_one(monkeypatch, given, read):
    monkeypatch.setenv("SQUAD_MONITORING_PORT", given)

    assert Settings.load().monitoring_port == read


def test_policies_are_a_list_by_type(monkeypatch):
    monkeypatch.setenv("SQUAD_FAILURE_POLICIES", "squad.create-task.v1=continue, user.register.v1 = stop,")

    settings = Settings.load()

    assert build_policies(settings) == {"squad.create-task.v1": Policy.CONTINUE, "user.register.v1": Policy.STOP}
    assert {*get_args(PolicyName)} == {*Policy}


def test_policy_of_a_type_that_there_is_not_is_refused(monkeypatch):
    monkeypatch.setenv("SQUAD_FAILURE_POLICIES", "squad.create-task.v9=continue")

    with pytest.raises(SettingsError, match="SQUAD_FAILURE_POLICIES: no such commands"):
        build_policies(Settings.load())


def test_reply_topics_are_a_list_of_names(monkeypatch):
    monkeypatch.setenv("SQUAD_REPLY_TOPICS", "shop.outcomes, admin.outcomes,")

    assert Settings.load().reply_topics == ("shop.outcomes", "admin.outcomes")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SQUAD_COMMAND_SOURCES", '{"/secret"', "no JSON object"),
        ("SQUAD_MONITORING_PORT", "65536", "less than or equal to 65535"),
        ("SQUAD_COMMAND_SOURCES", '{"/secret": "squad.*"}', "a list of at least one pattern"),
        ("SQUAD_COMMAND_SOURCES", '{"/secret": []}', "a list of at least one pattern"),
        ("SQUAD_COMMAND_SOURCES", '{"/secret": ["Squad Create"]}', "patterns of types have"),
        ("SQUAD_COMMAND_SOURCES", '{"/secret": [1]}', "patterns of types have"),
        ("SQUAD_COMMAND_SOURCES", '{"": ["*"]}', "never empty"),
        ("SQUAD_COMMAND_SOURCES", '{"/secret": ["*"], "/secret": ["*"]}', "comes twice"),
        ("SQUAD_FAILURE_POLICIES", "a secret", "each is a type, =, and one of park, continue, stop"),
        ("SQUAD_FAILURE_POLICIES", "user.register.v1=secret", "each is a type, =, and one of park, continue, stop"),
        ("SQUAD_FAILURE_POLICIES", "user.secret.v1=stop,user.secret.v1=park", "comes twice"),
        ("SQUAD_REPLY_TOPICS", "a secret", "names of topics have"),
        ("SQUAD_REPLY_TOPICS", "x" * 250, "names of topics have"),
        ("SQUAD_REPLY_TOPICS", "shop,squad.commands", "own topics"),
        ("SQUAD_REPLY_TOPICS", "squad.events", "own topics"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_without_its_value(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name) as refused:
        Settings.load()

    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SQUAD_LANES", "none"),
        ("SQUAD_LANES", "0"),
        ("SQUAD_LOCK_TIMEOUT_SECONDS", "-1"),
        ("SQUAD_FIRST_START", "yesterday"),
        ("SQUAD_TOPIC_PREFIX", "a b"),
        ("SQUAD_EVENT_SOURCE", "no reference"),
        ("SQUAD_EVENT_SOURCE", ""),
        ("SQUAD_HEARTBEAT_SECONDS", "20"),
        ("SQUAD_REQUEST_SECONDS", "25"),
        ("SQUAD_LEASE_RENEW_SECONDS", "9"),
        ("SQUAD_DATABASE_POOL_SIZE", "3"),
        ("SQUAD_DATABASE_URL", "no url with secret"),
    ],
)
def test_what_does_not_fit_is_named_without_its_value(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name) as refused:
        Settings.load()

    assert "secret" not in str(refused.value)


def test_every_setting_has_a_meaning_and_every_limit_its_unit():
    units = (
        "_seconds",
        "_bytes",
        "_rows",
        "_records",
        "_shards",
        "_commands",
        "_headers",
        "_depth",
        "_values",
        "_size",
        "_partitions",
        "_factor",
        "_ahead",
        "_days",
        "_cost",
        "_attempts",
        "_share",
    )
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        if field.annotation in (int, float) and name not in ("lanes", "api_port"):
            assert name.endswith(units), f"{name} does not say its unit"


def test_password_is_never_shown(monkeypatch):
    monkeypatch.setenv("SQUAD_DATABASE_URL", "postgresql+asyncpg://squad:hush@db/squad")

    assert masked("database_url", Settings.load().database_url) == "postgresql+asyncpg://squad:***@db/squad"
    assert variable("database_url") == "SQUAD_DATABASE_URL"
