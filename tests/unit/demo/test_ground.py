"""The demo's settings: nothing of anybody else's is made, written or removed."""

from types import SimpleNamespace
from typing import Any

from app.demo.ground import environment_of, settings_of
from app.settings import Settings

SERVERS: Any = SimpleNamespace(
    kind="given", database_url="postgresql+asyncpg://squad@db/squad", bootstrap_servers="kafka:9092"
)


def test_topics_to_reply_to_and_sources_are_left_to_whose_they_are():
    others = Settings(reply_topics=("shop.outcomes",), command_sources={"/shop": ("squad.*",)})

    own = settings_of(others, SERVERS, "demo_1")

    assert (own.reply_topics, own.command_sources) == ((), ())
    assert (own.topic_prefix, own.consumer_group) == ("demo_1.", "demo_1")
    environment = environment_of(own)
    assert (environment["SQUAD_REPLY_TOPICS"], environment["SQUAD_COMMAND_SOURCES"]) == ("", "")
