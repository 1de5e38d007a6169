"""requirements/*.txt: everything that pyproject.toml asks for is pinned, by hash, and nowhere differently."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = PYPROJECT["project"]["dependencies"]
EXTRAS = [each for extra in PYPROJECT["project"]["optional-dependencies"].values() for each in extra]
ASKED = {
    "runtime": RUNTIME,
    "dev": RUNTIME + EXTRAS + PYPROJECT["dependency-groups"]["dev"],
    "build": PYPROJECT["build-system"]["requires"],
}


def entries(file: str) -> list[str]:
    """Each entry of a file on one line."""
    text = (ROOT / f"requirements/{file}.txt").read_text()
    return re.sub(r"\s*\\\n\s*", " ", text).splitlines()


def pins(file: str) -> dict[str, set[str]]:
    """The pinned versions of each distribution; more than one where they differ by platform."""
    found: dict[str, set[str]] = {}
    for entry in entries(file):
        requirement = Requirement(entry.split(" --hash")[0])
        (pin,) = requirement.specifier
        found.setdefault(canonicalize_name(requirement.name), set()).add(pin.version)
    return found


@pytest.mark.parametrize("file", ASKED)
def test_every_entry_is_one_version_by_its_hashes_and_names_no_index(file: str) -> None:
    pinned = re.compile(r"[\w.-]+(\[[\w,-]+\])?==\S+( ; .+?)?( --hash=sha256:[0-9a-f]{64})+")

    assert entries(file)
    assert [entry for entry in entries(file) if not pinned.fullmatch(entry)] == []


@pytest.mark.parametrize(("file", "asked"), [(file, each) for file, asked in ASKED.items() for each in asked])
def test_what_the_project_asks_for_is_pinned_to_a_version_that_fits(file: str, asked: str) -> None:
    requirement = Requirement(asked)

    versions = pins(file)[canonicalize_name(requirement.name)]

    assert all(requirement.specifier.contains(version, prereleases=True) for version in versions)


@pytest.mark.parametrize("file", ["runtime", "build"])
def test_tests_run_on_the_versions_that_are_delivered(file: str) -> None:
    dev = pins("dev")

    assert {name: versions for name, versions in pins(file).items() if dev.get(name) != versions} == {}


def test_greenlet_comes_with_sqlalchemy_which_does_not_bring_it_by_itself() -> None:
    [sqlalchemy] = [each for each in map(Requirement, RUNTIME) if each.name == "sqlalchemy"]

    assert "asyncio" in sqlalchemy.extras
    assert "greenlet" in pins("runtime")
