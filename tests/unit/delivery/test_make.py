"""Makefile and .ci/run: what a person and what continuous integration types."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=inherited | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def add_program(directory: Path, name: str, body: str) -> Path:
    program = directory / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


def targets() -> set[str]:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return set(phony.split())


def documented(document: Path) -> set[str]:
    """What a document tells people to make, in code."""
    return set(re.findall(r"(?:`|\$ |^)make ([a-z0-9-]+)", document.read_text(), re.MULTILINE))


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment as `make setup` leaves it, empty."""
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/.installed").touch()
    return tmp_path / "venv"


def test_make_alone_shows_every_target() -> None:
    shown = run("make")

    assert shown.returncode == 0
    assert {line.split()[0] for line in shown.stdout.splitlines()} == targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_targets_that_documents_name_exist(document: Path) -> None:
    assert documented(document) <= targets()


def test_what_documents_name_is_found_in_code_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Please make sure: `make one`.\n\n```\nmake two\n$ make three\n```\n")

    assert documented(page) == {"one", "two", "three"}


def test_an_installed_environment_is_left_alone(venv: Path) -> None:
    assert "install" not in run("make", "-n", "setup", f"VENV={venv}").stdout


@pytest.mark.parametrize("changed", ["pyproject.toml", "client/pyproject.toml", "requirements/dev.txt"])
def test_an_environment_is_made_again_by_hash_when_what_it_is_made_from_changed(venv: Path, changed: str) -> None:
    planned = run("make", "-n", f"--what-if={changed}", "setup", f"VENV={venv}").stdout

    assert f"python3 -m venv {venv}" in planned
    assert "pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt" in planned
    assert "--no-deps --no-build-isolation -e . -e ./client" in planned


def test_a_python_that_does_not_fit_is_refused_with_what_to_do(tmp_path: Path) -> None:
    old = add_program(tmp_path, "python3", 'if [ "$1" = --version ]; then echo Python 3.10.9; else exit 1; fi')

    refused = run("make", "setup", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")

    assert refused.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 is needed" in refused.stderr
    assert "Python 3.10.9" in refused.stderr
    assert "make PYTHON=python3.11 setup" in refused.stderr
    assert not (tmp_path / "venv").exists()


def test_the_versions_of_python_are_those_of_the_project() -> None:
    ((least, most),) = re.findall(r"\(3, (\d+)\) <= .* <= \(3, (\d+)\)", (ROOT / "Makefile").read_text())
    supported = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])

    versions = [f"3.{minor}" for minor in range(30)]
    assert [each for each in versions if each in supported] == versions[int(least) : int(most) + 1]


def test_test_is_every_rule_and_every_test(venv: Path) -> None:
    planned = run("make", "-n", "test", f"VENV={venv}", "PYTEST_ARGS=--quiet").stdout.splitlines()

    assert planned == [
        f"{venv}/bin/ruff check .",
        f"{venv}/bin/ruff format --check .",
        f"{venv}/bin/mypy --strict",
        f"{venv}/bin/lint-imports --no-logo",
        f"{venv}/bin/pytest --quiet",
    ]


def test_a_broken_rule_fails_the_tests(venv: Path) -> None:
    (venv / "bin").mkdir()
    for program in ("ruff", "mypy", "pytest"):
        add_program(venv / "bin", program, "exit 0")
    add_program(venv / "bin", "lint-imports", "exit 1")

    assert run("make", "test", f"VENV={venv}").returncode != 0


@pytest.mark.parametrize(
    ("target", "variable"), [("demo", "DEMO_ARGS"), ("bench", "BENCH_ARGS"), ("test-faults", "FAULTS_ARGS")]
)
def test_options_reach_the_program(venv: Path, target: str, variable: str) -> None:
    assert run("make", "-n", target, f"VENV={venv}", f"{variable}=--seconds 5").stdout.endswith(" --seconds 5\n")


def test_pinning_without_uv_says_what_to_do(tmp_path: Path) -> None:
    refused = run("make", "requirements", f"UV={tmp_path / 'uv'}")

    assert refused.returncode != 0
    assert "uv is not on the PATH" in refused.stderr


def test_continuous_integration_makes_the_tests_from_anywhere_without_input(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    add_program(tmp_path, "make", f'echo "$# $* in $PWD, input: $(cat)" > {seen}; exit 3')

    ended = subprocess.run(
        [ROOT / ".ci/run"],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        input="unread",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert seen.read_text() == f"1 test in {ROOT}, input: \n"
    assert ended.returncode == 3
