"""How much the demo sends where nothing was asked for."""

import pytest

from app.demo.results import Options
from app.demo.run import sized
from stack.choice import Kind
from stack.starting import ExternalStack


class Servers(ExternalStack):
    def __init__(self, kind: Kind) -> None:
        super().__init__(database_url="", bootstrap_servers="", description="")
        self.kind = kind


@pytest.mark.parametrize(
    ("asked", "kind", "sent"),
    [(None, "local", 20_000), (None, "docker", 20_000), (None, "embedded", 2_000), (500, "embedded", 500)],
)
def test_a_mock_gets_no_more_than_it_keeps(asked: int | None, kind: Kind, sent: int) -> None:
    assert sized(Options(commands=asked), Servers(kind)).commands == sent
