"""A bench for each test."""

import pytest

from db.database import Database
from tests.applying import Bench


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)
