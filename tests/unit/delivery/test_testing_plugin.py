"""client/: the distribution of the testing plugin."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

from packaging.requirements import Requirement

from agent_squad_testing import plugin

ROOT = Path(__file__).parents[3]
APPLICATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
PLUGIN = tomllib.loads((ROOT / "client/pyproject.toml").read_text())


def test_it_is_of_the_same_release_as_the_application_that_it_needs() -> None:
    version = APPLICATION["project"]["version"]
    needs = [*PLUGIN["project"]["dependencies"], *PLUGIN["project"]["optional-dependencies"]["local"]]

    assert PLUGIN["project"]["version"] == version
    assert [each for each in needs if "agent-squad" in each] == [
        f"agent-squad=={version}",
        f"agent-squad[local]=={version}",
    ]
    assert PLUGIN["project"]["requires-python"] == APPLICATION["project"]["requires-python"]


def test_what_it_needs_is_what_our_own_tests_have() -> None:
    ours = [*APPLICATION["project"]["dependencies"], *APPLICATION["dependency-groups"]["dev"]]
    others = {each for each in PLUGIN["project"]["dependencies"] if Requirement(each).name != "agent-squad"}

    assert others <= set(ours)


def test_pytest_finds_it_where_it_is_installed() -> None:
    [found] = entry_points(group="pytest11", name="agent_squad")

    assert found.load() is plugin


def test_its_wheel_has_the_plugin_and_nothing_of_the_application(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT / "client",
        check=True,
        capture_output=True,
    )

    [wheel] = tmp_path.glob("*.whl")
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"agent_squad_testing"}
