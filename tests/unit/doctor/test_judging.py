"""What the doctor says of facts that no server of the tests has."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.doctor.hosts import judge
from app.doctor.schema import RIGHTS
from app.doctor.server import check_clock, check_connections, check_version
from app.doctor.stacks import check_stacks
from app.doctor.topics import check_cluster, check_topics
from app.settings import Settings
from app.topic_facts import ClusterFacts, TopicFacts

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "two", "verdict"),
    [(True, False, "ok"), (False, True, "ok"), (True, "refused", "warn"), (False, False, "fail"), (True, True, "fail")],
)
def test_of_several_addresses_exactly_one_takes_writes(one: bool | str, two: bool | str, verdict: str) -> None:
    assert judge({"one:5432": one, "two:5432": two}).verdict == verdict


@pytest.mark.parametrize(("major", "verdict"), [(14, "fail"), (15, "ok"), (18, "ok"), (19, "warn")])
def test_releases_of_postgresql(major: int, verdict: str) -> None:
    assert check_version(major, f"{major}.1").verdict == verdict


@pytest.mark.parametrize(
    ("off_seconds", "verdict"),
    [(-400, "fail"), (-60, "warn"), (-4, "ok"), (0.5, "ok"), (4, "ok"), (60, "warn"), (400, "fail")],
)
def test_a_clock_counts_as_off_by_what_the_asking_did_not_take(off_seconds: float, verdict: str) -> None:
    clock = NOW + timedelta(seconds=off_seconds)

    found = check_clock("clock", "it", clock, before=NOW, after=NOW + timedelta(seconds=1), settings=Settings())

    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("limit", "role", "connected", "verdict"),
    [(197, -1, 5, "ok"), (197, -1, 190, "warn"), (15, -1, 0, "fail"), (197, 4, 0, "fail")],
)
def test_connections_that_one_more_process_would_need(limit: int, role: int, connected: int, verdict: str) -> None:
    facts = {"connections": limit, "role_connections": role, "connected": connected}

    assert check_connections(facts, Settings(database_pool_size=10)).verdict == verdict


@pytest.mark.parametrize(
    ("brokers", "copies", "in_sync", "least", "verdict", "said"),
    [
        (1, 1, 1, "1", "ok", ""),
        (3, 1, 1, "1", "warn", "1 copies on 3 brokers"),
        (3, 3, 3, "1", "warn", "min.insync.replicas is 1"),
        (3, 3, 3, "2", "ok", ""),
        (3, 3, 2, "2", "warn", "only 2 of 3 copies in step"),
        (3, 3, 1, "2", "fail", "which 1 copies in step do not reach"),
    ],
)
def test_copies_of_topics(brokers: int, copies: int, in_sync: int, least: str, verdict: str, said: str) -> None:
    configs = {"min.insync.replicas": least, "message.timestamp.type": "LogAppendTime"}
    topic = TopicFacts(partitions=6, copies=copies, in_sync=in_sync, configs=configs)
    names = [f"squad.{name}" for name in ("commands", "events", "outcomes", "dead-letters")]

    found = list(
        check_topics(ClusterFacts(brokers=brokers, mock=False, topics=dict.fromkeys(names, topic)), Settings())
    )

    assert {each.verdict for each in found} == {verdict}
    assert all(said in each.found for each in found)


def test_a_mock_is_told_from_a_kafka() -> None:
    assert check_cluster(ClusterFacts(brokers=1, mock=True, topics={})).verdict == "warn"
    assert check_cluster(ClusterFacts(brokers=1, mock=False, topics={})).verdict == "ok"


def test_the_stack_of_this_machine_is_told_with_what_the_next_better_lacks(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    found = check_stacks({"PATH": str(tmp_path), "HOME": str(tmp_path)})

    assert found.verdict == "ok"
    assert found.found.startswith("embedded: ")
    assert found.advice == "for local: `java` is not on the PATH (install Java 17 or later)"


def test_rights_are_those_that_the_page_grants() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    granted: dict[str, set[str]] = {}
    for privileges, tables in re.findall(r"GRANT ([A-Z, ]+?) ON (?!SEQUENCE)([a-z_,\s]+?) TO", page):
        for table in tables.split(","):
            granted.setdefault(table.strip(), set()).update(privileges.split(", "))

    assert granted == {table: set(privileges) for table, privileges in RIGHTS.items()}


def test_the_page_has_every_check() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    sources = "".join(path.read_text() for path in (ROOT / "app/doctor").glob("*.py"))
    named = re.findall(r"""(?:passed|warned|failed|check_clock)\(\s*"([a-z-]+)\"""", sources)
    named += re.findall(r"""name(?: =|=)\s*f?"([a-z-]+)[ "]""", sources)

    section = page.partition("## `squad doctor`")[2].partition("\n## ")[0]
    assert named
    assert {name for name in named if f"`{name}" not in section} == set()
