"""The cache of the broker's jars, with a Maven that only pretends."""

from pathlib import Path

import pytest

from stack import StackError
from stack.jars import POM, ensure_jars, jars_directory, kafka_version

COPY = 'for a in "$@"; do case $a in -DoutputDirectory=*) d=${a#*=};; esac; done; mkdir -p "$d"; : > "$d/kafka.jar"'


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "bin").mkdir()
    return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}


def pretend_maven(tmp_path: Path, body: str) -> None:
    maven = tmp_path / "bin" / "mvn"
    maven.write_text(f"#!/bin/sh\n{body}\n")
    maven.chmod(0o755)


def test_jars_are_fetched_once(tmp_path, environment):
    pretend_maven(tmp_path, COPY)
    steps: list[str] = []
    first = ensure_jars(tmp_path, environment=environment, progress=steps.append)
    pretend_maven(tmp_path, "exit 1")

    assert ensure_jars(tmp_path, environment=environment, progress=steps.append) == first
    assert [jar.name for jar in first.iterdir()] == ["kafka.jar"]
    assert len(steps) == 1


def test_a_fetch_that_fails_half_way_leaves_no_cache_and_tells_what_maven_said(tmp_path, environment):
    pretend_maven(tmp_path, f"{COPY}; echo no such host; exit 1")

    with pytest.raises(StackError, match="no such host"):
        ensure_jars(tmp_path, environment=environment, progress=lambda _step: None)

    assert not jars_directory(tmp_path).exists()
    assert list(jars_directory(tmp_path).parent.iterdir()) == []


def test_another_pom_means_other_jars(tmp_path, monkeypatch):
    before = jars_directory(tmp_path)
    pom = tmp_path / "pom.xml"
    pom.write_text("<project/>")
    monkeypatch.setattr("stack.jars.POM", pom)

    assert jars_directory(tmp_path) != before


def test_version_of_the_broker_is_the_one_that_the_pom_names() -> None:
    assert f"<version>{kafka_version()}</version>" in POM.read_text()
    assert kafka_version().startswith("4.")
