"""Dockerfile and .dockerignore: what goes into the image, and who runs it."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    parts = [line.partition(" ") for line in joined.splitlines() if line]
    return [(name, arguments) for name, _, arguments in parts]


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage, the first one being what stands before them all."""
    found: list[list[tuple[str, str]]] = [[]]
    for name, arguments in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, arguments))
    return found


def of(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [arguments for instruction, arguments in stage if instruction == name]


def allowed_into_the_build() -> set[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return {line[1:] for line in lines if line.startswith("!")}


def test_the_base_is_a_slim_python_that_the_project_supports() -> None:
    tag = re.fullmatch(r"BASE=python:(\d+\.\d+)-slim-[a-z]+", of(stages()[0], "ARG")[0])

    assert tag
    assert tag[1] in SpecifierSet(PROJECT["project"]["requires-python"])


def test_both_stages_stand_on_the_same_base() -> None:
    assert [of(stage, "FROM")[0].split(" ")[0] for stage in stages()[1:]] == ["${BASE}", "${BASE}"]


def test_an_account_of_no_rights_runs_squad() -> None:
    final = stages()[-1]
    names = [name for name, _ in final]

    user, group = of(final, "USER")[-1].split(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000
    assert names.index("USER") > max(number for number, name in enumerate(names) if name in {"RUN", "COPY"})
    assert json.loads(of(final, "ENTRYPOINT")[0]) == ["squad"]
    assert "squad" in PROJECT["project"]["scripts"]


def test_the_image_takes_only_the_application_from_the_builder_and_installs_nothing() -> None:
    final = stages()[-1]

    assert of(final, "COPY") == ["--from=builder /app /app"]
    assert not of(final, "ADD")
    assert not re.search(r"\b(pip|apt-get|apt|gcc|curl|wget|uv)\b", " ".join(of(final, "RUN")))


def test_pip_stays_in_the_builder() -> None:
    builder = " ".join(of(stages()[1], "RUN"))

    assert "venv --without-pip .venv" in builder
    assert "pip --python .venv/bin/python install" in builder


def test_everything_from_an_index_is_installed_by_its_hash() -> None:
    installs = re.findall(r"pip (?:--python \S+ )?install ([^&]+)", " ".join(of(stages()[1], "RUN")))

    fetched = [arguments for arguments in installs if "--no-index" not in arguments]
    assert [re.findall(r"-r (\S+)", arguments) for arguments in fetched] == [
        ["requirements/build.txt"],
        ["requirements/runtime.txt"],
    ]
    assert all("--require-hashes" in arguments and "--only-binary=:all:" in arguments for arguments in fetched)


def test_only_what_is_named_goes_into_the_build() -> None:
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    assert allowed_into_the_build() == ROOMS | {
        "requirements/build.txt",
        "requirements/runtime.txt",
        "LICENSE",
        "README.md",
        "pyproject.toml",
    }


@pytest.mark.parametrize("name", sorted(allowed_into_the_build()))
def test_what_is_named_is_there(name: str) -> None:
    assert (ROOT / name).exists()
