"""The import rules see every room, and every library that the domain must not know."""

import re
import tomllib
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
FREE = {"bench", "tests"}
TESTING = {"agent_squad_testing"}
PURE = {"annotated_types"}


def contracts() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def rooms() -> set[str]:
    """The packages at the top level that are part of the application."""
    return {path.parent.name for path in ROOT.glob("*/__init__.py")} - FREE


def runtime_distributions() -> set[str]:
    names = re.findall(r"^([\w.-]+)", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE)
    return {canonicalize_name(name) for name in names}


def test_every_room_is_under_the_rules() -> None:
    assert set(contracts()["importlinter"]["root_packages"].split()) == rooms() | TESTING


def test_no_room_may_know_the_testing_plugin() -> None:
    contract = contracts()["importlinter:contract:tested"]

    assert set(contract["source_modules"].split()) == rooms()
    assert set(contract["forbidden_modules"].split()) >= TESTING


def test_every_room_has_its_place_among_the_layers() -> None:
    assert set(re.findall(r"\w+", contracts()["importlinter:contract:rooms"]["layers"])) == rooms()


def test_every_room_is_held_to_few_modules_meeting_kafka() -> None:
    assert set(contracts()["importlinter:contract:kafka"]["source_modules"].split()) == rooms()


def test_every_room_is_delivered() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]

    assert set(hatch["build"]["targets"]["wheel"]["packages"]) == rooms()


def test_the_domain_may_not_know_any_library_but_one() -> None:
    delivered = runtime_distributions()
    modules = {
        module
        for module, owners in packages_distributions().items()
        # From Python 3.12 on, the compiled form of a single-file module counts as a name too.
        if module != "__pycache__" and delivered & {canonicalize_name(owner) for owner in owners}
    }

    assert modules >= PURE
    assert modules - PURE <= set(contracts()["importlinter:contract:domain"]["forbidden_modules"].split())
