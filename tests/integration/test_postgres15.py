"""The oldest PostgreSQL that is supported, where the machine has it: migrations, a batch, the relay's order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stack import variables

PROGRAMS = Path(os.environ.get(variables.POSTGRES_PROGRAMS, "/usr/lib/postgresql/15/bin"))
TESTS = (
    "tests/migrations/test_migrations.py::test_migrations_lead_to_the_models",
    "tests/integration/consumers/test_processor.py::test_command_becomes_row_event_outcome_and_checkpoint",
    "tests/integration/outbox/test_relay_order.py::test_relay_that_dies_before_its_cursor_repeats_but_keeps_the_order",
)


@pytest.mark.skipif(not (PROGRAMS / "postgres").exists(), reason=f"no PostgreSQL 15: {PROGRAMS} has no `postgres`")
def test_migrations_processor_and_relay_work_on_it() -> None:
    said = subprocess.run([PROGRAMS / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    # Its own way of starting: what the environment names is not the version that is asked for.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SQUAD_")}
    own = {variables.KIND: "embedded", variables.POSTGRES_PROGRAMS: str(PROGRAMS)}

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        env=kept | own,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert ended.returncode == 0, f"on {said}{ended.stdout}"
