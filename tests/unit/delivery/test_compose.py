"""docker-compose.yml: held against its specification, the command line, the settings and the local stack."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from sqlalchemy import make_url
from typer.core import TyperGroup
from typer.main import get_command

from app.cli.main import app
from app.settings import PREFIX, Settings, variable
from stack import docker, variables

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ENDING = {
    name
    for service in SERVICES.values()
    for name, how in service.get("depends_on", {}).items()
    if how["condition"] == "service_completed_successfully"
}
LASTING = sorted(SERVICES.keys() - ENDING)
INVOCATIONS = [service["command"] for service in OURS.values()] + [
    service["healthcheck"]["test"][2:] for service in OURS.values() if "healthcheck" in service
]


def specification() -> Validator:
    """Validates against the Compose Specification's own schema, as check-jsonschema carries it."""
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    return validator_for(schema)(schema)


def with_defaults(text: str) -> str:
    """As Compose reads it where no variable is set."""
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


def seconds(duration: str) -> int:
    assert re.fullmatch(r"\d+s", duration)
    return int(duration.removesuffix("s"))


def mounts(name: str) -> dict[str, str]:
    return dict(volume.split(":") for volume in SERVICES[name].get("volumes", []))


def published(name: str) -> dict[str, str]:
    """The container's port for each address of the host."""
    return dict(with_defaults(port).rsplit(":", 1) for port in SERVICES[name].get("ports", []))


def listeners(setting: str) -> dict[str, str]:
    pairs = with_defaults(SERVICES["kafka"]["environment"][setting]).split(",")
    return dict(pair.split("://") for pair in pairs)


def test_it_follows_the_compose_specification() -> None:
    assert [f"{error.json_path}: {error.message}" for error in specification().iter_errors(COMPOSE)] == []


@pytest.mark.parametrize("wrong", [{"comand": ["migrate"]}, {"restart": True}, {"healthcheck": {"every": "5s"}}])
def test_the_specification_refuses_what_compose_would_refuse(wrong: dict[str, Any]) -> None:
    assert list(specification().iter_errors({"services": {"migrate": SERVICES["migrate"] | wrong}}))


@pytest.mark.parametrize("arguments", INVOCATIONS, ids=" ".join)
def test_what_a_container_runs_is_a_command_of_squad(arguments: list[str]) -> None:
    command, rest = get_command(app), list(arguments)
    while isinstance(command, TyperGroup):
        assert rest[0] in command.commands
        command = command.commands[rest.pop(0)]
    command.make_context("squad", rest).close()


def test_health_checks_of_our_services_ask_squad_about_that_service() -> None:
    checks = {name: service["healthcheck"]["test"] for name, service in OURS.items() if name in LASTING}

    assert checks == {
        "consumer": ["CMD", "squad", "health", "consumer"],
        "relay": ["CMD", "squad", "health", "relay"],
        "api": ["CMD", "squad", "health", "api"],
    }


@pytest.mark.parametrize("file", ["docker-compose.yml", "Dockerfile"])
def test_only_settings_that_exist_are_named(file: str) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", (ROOT / file).read_text()))

    assert named
    assert named <= {variable(field) for field in Settings.model_fields} | variables.MEANINGS.keys()


@pytest.mark.parametrize("name", OURS)
def test_settings_of_a_container_load_and_point_at_its_neighbours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting, value in OURS[name]["environment"].items():
        monkeypatch.setenv(setting, with_defaults(value))

    settings = Settings.load()

    url, database = make_url(settings.database_url), SERVICES["postgres"]["environment"]
    assert url.host == "postgres"
    assert url.username == database["POSTGRES_USER"]
    assert url.password == with_defaults(database["POSTGRES_PASSWORD"])
    assert url.database == database["POSTGRES_DB"]
    assert settings.kafka_bootstrap_servers == listeners("KAFKA_ADVERTISED_LISTENERS")["INSIDE"]


def test_squad_on_the_host_finds_both_where_it_looks_by_default() -> None:
    fields = Settings.model_fields
    url = make_url(fields["database_url"].default)

    assert published("postgres") == {f"{url.host}:{url.port}": "5432"}
    assert listeners("KAFKA_ADVERTISED_LISTENERS")["HOST"] == fields["kafka_bootstrap_servers"].default
    assert published("kafka") == {
        fields["kafka_bootstrap_servers"].default: listeners("KAFKA_LISTENERS")["HOST"].removeprefix(":")
    }


def test_only_this_machine_reaches_what_is_published() -> None:
    assert {address.split(":")[0] for name in SERVICES for address in published(name)} == {"127.0.0.1"}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - OURS.keys()))
def test_images_of_others_are_pinned_to_a_release(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z]+)?", with_defaults(SERVICES[name]["image"]))


def test_the_images_are_those_of_the_docker_stack_under_the_same_variables() -> None:
    images = {f"${{{variable}:-{image}}}" for variable, image in docker.IMAGES.items()}

    assert {SERVICES[name]["image"] for name in ("postgres", "kafka")} == images


def test_the_broker_is_the_release_that_the_local_stack_runs() -> None:
    version = re.search(
        r"<artifactId>kafka_2\.13</artifactId>\s*<version>(.+?)</version>", (ROOT / "stack/pom.xml").read_text()
    )

    assert version
    assert with_defaults(SERVICES["kafka"]["image"]) == f"apache/kafka:{version[1]}"


def test_our_services_run_one_image_built_here_without_rights() -> None:
    assert {service["image"] for service in OURS.values()} == {"agent-squad:local"}
    assert all(service["build"] == "." for service in OURS.values())
    for service in OURS.values():
        assert service["init"]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_service_is_watched_restarted_and_given_time_to_stop(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert seconds(SERVICES[name]["stop_grace_period"]) > Settings.model_fields["statement_timeout_seconds"].default


@pytest.mark.parametrize("name", ["consumer", "relay", "api"])
def test_neighbours_reach_what_a_process_tells_of_itself_and_nobody_else_does(name: str) -> None:
    environment = SERVICES[name]["environment"]

    assert SERVICES[name]["expose"] == [environment[variable("monitoring_port")]]
    assert environment[variable("monitoring_address")] == "0.0.0.0"  # noqa: S104 - of the container
    assert f"EXPOSE {environment[variable('monitoring_port')]}\n" in (ROOT / "Dockerfile").read_text()
    assert environment[variable("monitoring_port")] not in published(name).values()


def test_the_http_api_answers_this_machine_where_it_would_listen_by_default() -> None:
    fields = Settings.model_fields

    assert published("api") == {f"{fields['api_host'].default}:{fields['api_port'].default}": "8080"}
    assert SERVICES["api"]["environment"][variable("api_host")] == "0.0.0.0"  # noqa: S104 - of the container


def test_what_ends_is_the_schema_and_the_topics_and_is_not_started_again() -> None:
    assert {"migrate", "topics"} == ENDING
    assert all(SERVICES[name]["restart"] == "no" for name in ENDING)


def test_who_waits_waits_for_health_or_success() -> None:
    waits = {
        name: {other: how["condition"] for other, how in service["depends_on"].items()}
        for name, service in SERVICES.items()
        if "depends_on" in service
    }

    both = {"migrate": "service_completed_successfully", "topics": "service_completed_successfully"}
    assert waits == {
        "migrate": {"postgres": "service_healthy"},
        "topics": {"kafka": "service_healthy"},
        "consumer": both,
        "relay": both,
        "api": both,
    }


def test_data_lives_in_declared_volumes_where_the_images_keep_it() -> None:
    # PostgreSQL's image keeps its data under this directory from 18 on; at the old place it would be lost.
    assert mounts("postgres") == {"postgres-data": "/var/lib/postgresql"}
    assert mounts("kafka") == {"kafka-data": SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"]}
    assert {volume for name in SERVICES for volume in mounts(name)} == COMPOSE["volumes"].keys()
