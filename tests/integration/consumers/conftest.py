"""A bench for each test, and what settles its batches and redrives its dead letters."""

import pytest
import pytest_asyncio

from db.database import Database
from tests.applying import Bench
from tests.poison import poison
from tests.redriving import Redriving
from tests.settling import Settling
from tests.sources import Readers


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


@pytest.fixture
def readers() -> Readers:
    return Readers()


@pytest.fixture
def poisonous(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """`undo` is the fix that is deployed."""
    poison(monkeypatch)
    return monkeypatch


@pytest_asyncio.fixture
async def settling(bench: Bench) -> Settling:
    made = Settling(bench)
    await made.begin()
    return made


@pytest_asyncio.fixture
async def redriving(bench: Bench) -> Redriving:
    made = Redriving(bench)
    await made.begin()
    return made
