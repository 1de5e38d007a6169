"""The order of choice, with programs that only pretend."""

import shutil
import tempfile
from pathlib import Path

import pytest

from stack import StackError, choose, docker, variables
from stack.choice import obstacle_of
from stack.jars import jars_directory
from stack.places import cache_directory

EXTERNAL = {
    "SQUAD_DATABASE_URL": "postgresql+asyncpg://squad@db/squad",
    "SQUAD_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
}


@pytest.fixture
def home():
    # Not pytest's own directory: that one is closed to other accounts, and root then gets another cache.
    directory = Path(tempfile.mkdtemp(prefix="stack-choice-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def environment(home):
    """A machine with Java 17 and Maven, without external servers and without cached jars."""
    add_program(home, "java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    add_program(home, "mvn", "exit 0")
    return {"PATH": str(home / "bin"), "XDG_CACHE_HOME": str(home / "cache")}


def add_program(home: Path, name: str, body: str) -> None:
    program = home / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def test_external_servers_come_first(environment):
    choice = choose({**environment, **EXTERNAL})

    assert choice.kind == "external"
    assert "not " not in choice.line


@pytest.mark.parametrize("missing", sorted(EXTERNAL))
def test_one_external_address_alone_is_not_enough_and_the_line_says_which_is_missing(environment, missing):
    half = {setting: value for setting, value in EXTERNAL.items() if setting != missing}

    choice = choose({**environment, **half})

    assert choice.kind == "local"
    assert f"not external: {missing} not set" in choice.line
    assert "\n" not in choice.line


def test_the_forced_kind_is_taken_although_an_earlier_one_works(environment):
    choice = choose({**environment, **EXTERNAL, "SQUAD_STACK": "local"})

    assert choice.kind == "local"
    assert "SQUAD_STACK" in choice.line


def test_a_forced_kind_that_does_not_work_is_an_error_and_not_replaced_by_another(environment):
    with pytest.raises(StackError, match=r"SQUAD_STACK=external .*SQUAD_DATABASE_URL"):
        choose({**environment, "SQUAD_STACK": "external"})


@pytest.mark.parametrize("kind", ["podman", "Local"])
def test_a_kind_that_is_not_there_is_an_error_that_names_those_that_are(environment, kind):
    with pytest.raises(StackError, match=rf"SQUAD_STACK={kind}: .*external, docker, local, embedded"):
        choose({**environment, **EXTERNAL, "SQUAD_STACK": kind})


@pytest.mark.parametrize(("version", "shown"), [("11.0.2", "11"), ("1.8.0_292", "1")])
def test_a_java_too_old_is_refused(environment, home, version, shown):
    add_program(home, "java", f"echo 'java version \"{version}\"' >&2")

    choice = choose(environment)

    assert choice.kind == "embedded"
    assert f"not local: `java` is version {shown}, the broker needs 17" in choice.line


def test_without_java_the_embedded_stack_is_taken_and_the_line_says_why_and_what_it_is(environment, home):
    (home / "bin" / "java").unlink()

    choice = choose(environment)

    assert choice.kind == "embedded"
    assert "not a real Kafka" in choice.line
    assert "not docker: `docker` is not on the PATH (install Docker)" in choice.line
    assert "not local: `java` is not on the PATH (install Java 17 or later)" in choice.line
    assert "\n" not in choice.line


def test_without_maven_cached_jars_are_enough(environment, home):
    (home / "bin" / "mvn").unlink()
    assert "not local: the broker's jars are not cached" in choose(environment).line

    jars_directory(cache_directory(environment)).mkdir(parents=True)

    assert choose(environment).kind == "local"


def test_without_any_way_the_error_names_what_each_lacks(environment, monkeypatch):
    for module in ("stack.obstacles", "stack.postgres_programs"):
        monkeypatch.setattr(f"{module}.find_spec", lambda _module: None)

    with pytest.raises(StackError, match=r"(?s)not external: .*not docker: .*extra `local`.*extra `embedded`"):
        choose(environment)


def test_without_the_library_of_the_mock_the_error_names_its_extra(environment, home, monkeypatch):
    (home / "bin" / "java").unlink()
    monkeypatch.setattr("stack.obstacles.find_spec", lambda module: None if module == "confluent_kafka" else True)

    with pytest.raises(StackError, match=r"not embedded: confluent_kafka not installed .install the extra `embedded`"):
        choose(environment)


def test_other_programs_of_postgresql_take_the_place_of_the_wheel(environment, home, monkeypatch):
    monkeypatch.setattr("stack.postgres_programs.find_spec", lambda _module: None)
    own = {**environment, "SQUAD_STACK_POSTGRES_BIN": str(home / "bin")}
    with pytest.raises(StackError, match=r"SQUAD_STACK_POSTGRES_BIN=.*/bin has no initdb and no postgres and no"):
        choose({**own, "SQUAD_STACK": "local"})

    for program in ("initdb", "postgres", "createdb", "pg_isready"):
        add_program(home, program, "exit 0")

    assert choose(own).kind == "local"


# Docker


@pytest.fixture
def engine(environment, home):
    """A Docker that answers, has every image and Compose; its answers are files that a test may change."""
    for name in ("version", "image", "pull", "compose"):
        answer(home, name, "echo 1")
    add_program(home, "docker", f'echo "$@" >> {home}/asked; . {home}/docker-$1')
    return environment


def answer(home: Path, command: str, body: str) -> None:
    (home / f"docker-{command}").write_text(f"{body}\n")


def asked(home: Path) -> list[str]:
    return (home / "asked").read_text().splitlines()


@pytest.mark.parametrize("keep", [True, False])
def test_docker_is_taken_where_an_engine_answers_and_has_the_images(engine, home, keep):
    choice = choose(engine, keep=keep)

    assert choice.kind == "docker"
    assert "not external" in choice.line
    assert {f"image inspect {image}" for image in docker.IMAGES.values()} <= set(asked(home))
    assert not any(line.startswith("pull") for line in asked(home))


def test_the_images_are_those_that_the_environment_names(engine, home):
    choose({**engine, variables.POSTGRES_IMAGE: "mine:1", variables.KAFKA_IMAGE: "mine:2"})

    assert {"image inspect mine:1", "image inspect mine:2"} <= set(asked(home))


def test_a_daemon_that_does_not_answer_is_named_with_what_docker_said(engine, home):
    answer(home, "version", 'echo "Cannot connect to the Docker daemon. Is it running?" >&2; exit 1')

    choice = choose(engine)

    assert choice.kind == "local"
    assert (
        "not docker: the Docker daemon does not answer (Cannot connect to the Docker daemon. Is it running?)"
        in choice.line
    )


def test_a_daemon_that_hangs_is_given_up(engine, home, monkeypatch):
    monkeypatch.setattr("stack.docker.ANSWER_SECONDS", 0.2)
    answer(home, "version", "exec /bin/sleep 20")

    assert "not docker: the Docker daemon does not answer within 0.2 s" in choose(engine).line


def test_an_image_that_is_missing_is_pulled_and_said(engine, home):
    answer(home, "image", "exit 1")
    told: list[str] = []

    assert choose(engine, progress=told.append).kind == "docker"

    assert told == [f"pulling {image} (once)" for image in docker.IMAGES.values()]
    assert f"pull --quiet {docker.IMAGES[variables.KAFKA_IMAGE]}" in asked(home)


def test_an_image_that_cannot_be_pulled_is_named_with_what_docker_said(engine, home):
    answer(home, "image", "exit 1")
    answer(home, "pull", 'echo "no such host" >&2; exit 1')

    line = choose(engine).line

    assert (
        f"not docker: image {docker.IMAGES[variables.POSTGRES_IMAGE]} is not here and cannot be pulled (no such host)"
        in line
    )


def test_a_pull_that_takes_too_long_is_given_up(engine, home):
    answer(home, "image", "exit 1")
    answer(home, "pull", "exec /bin/sleep 20")

    line = choose({**engine, "SQUAD_STACK_PULL_SECONDS": "0.2"}).line

    assert "was not pulled within 0.2 s (SQUAD_STACK_PULL_SECONDS)" in line


def test_a_time_that_is_no_number_is_an_error(engine, home):
    answer(home, "image", "exit 1")

    with pytest.raises(StackError, match="SQUAD_STACK_PULL_SECONDS=soon is no number"):
        choose({**engine, "SQUAD_STACK_PULL_SECONDS": "soon"})


def test_to_ask_what_is_missing_pulls_nothing(engine, home):
    answer(home, "image", "exit 1")

    obstacle = obstacle_of("docker", engine)

    image = docker.IMAGES[variables.POSTGRES_IMAGE]
    assert obstacle == f"image {image} is not here (`docker pull {image}`)"
    assert not any(line.startswith("pull") for line in asked(home))


def test_what_is_kept_needs_compose_and_what_ends_with_the_run_needs_one_of_two(engine, home, monkeypatch):
    answer(home, "compose", "exit 1")

    assert "not docker: `docker compose` does not work (install" in choose(engine, keep=True).line
    assert choose(engine).kind == "docker"

    monkeypatch.setattr("stack.docker.has_testcontainers", lambda: False)
    assert choose(engine).kind == "local"
