"""The order of choice, with programs that only pretend."""

import shutil
import tempfile
from pathlib import Path

import pytest

from stack import StackError, choose
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


@pytest.mark.parametrize("kind", ["docker", "embedded", "Local"])
def test_a_kind_that_is_not_there_is_an_error_that_names_those_that_are(environment, kind):
    with pytest.raises(StackError, match=rf"SQUAD_STACK={kind}: .*external, local"):
        choose({**environment, **EXTERNAL, "SQUAD_STACK": kind})


@pytest.mark.parametrize(("version", "shown"), [("11.0.2", "11"), ("1.8.0_292", "1")])
def test_a_java_too_old_is_refused(environment, home, version, shown):
    add_program(home, "java", f"echo 'java version \"{version}\"' >&2")

    with pytest.raises(StackError, match=f"not local: `java` is version {shown}, the broker needs 17"):
        choose(environment)


def test_without_java_the_error_says_what_to_install(environment, home):
    (home / "bin" / "java").unlink()

    with pytest.raises(StackError, match="install Java 17"):
        choose(environment)


def test_without_maven_cached_jars_are_enough(environment, home):
    (home / "bin" / "mvn").unlink()
    with pytest.raises(StackError, match="not cached"):
        choose(environment)

    jars_directory(cache_directory(environment)).mkdir(parents=True)

    assert choose(environment).kind == "local"


def test_without_the_wheel_the_error_names_the_extra(environment, monkeypatch):
    monkeypatch.setattr("stack.choice.find_spec", lambda _module: None)

    with pytest.raises(StackError, match="extra `local`"):
        choose(environment)
