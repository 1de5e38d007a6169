"""Who is let in by a broker that asks who we are, and what is said to who is not."""

import asyncio
import json
from collections.abc import Callable, Iterator

import pytest

from app import broker, life, topic_logs
from app.cli.faults import EXIT_FAILED, EXIT_UNREACHABLE, explain
from app.ending import Ending
from app.settings import Settings
from outbox.publisher import KafkaPublisher
from tests.acceptance.conftest import eventually, running
from tests.acceptance.guarded_kafka import (
    PASSWORD,
    TOPIC,
    USER,
    Guarded,
    allow,
    grant,
    start_guarded,
    token,
    why_not_here,
)
from tests.certificates import KEY_PASSWORD
from tests.making import SOURCE, new_id
from tests.relaying import fetch_rows, leading_relay, write_rows

pytestmark = pytest.mark.skipif(bool(why_not_here()), reason=why_not_here())


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with start_guarded() as started:
        yield started


@pytest.fixture
def secured(settings, guarded, tmp_path):
    """Gives settings for one of the ways in."""

    def make(way: str, **changes: object) -> Settings:
        tls = {"kafka_security_protocol": "sasl_ssl", "kafka_ssl_ca_file": guarded.ca}
        user = {"kafka_bootstrap_servers": guarded.login, "kafka_sasl_username": USER, **tls}
        ways: dict[str, dict[str, object]] = {
            "anybody": {"kafka_bootstrap_servers": guarded.open},
            "certificate": {
                **tls,
                "kafka_bootstrap_servers": guarded.mutual,
                "kafka_security_protocol": "ssl",
                "kafka_ssl_certificate_file": guarded.certificate,
            },
            "locked certificate": {
                **tls,
                "kafka_bootstrap_servers": guarded.mutual,
                "kafka_security_protocol": "ssl",
                "kafka_ssl_certificate_file": guarded.locked_certificate,
                "kafka_ssl_key_password": KEY_PASSWORD,
            },
            "PLAIN": {**user, "kafka_sasl_mechanism": "PLAIN", "kafka_sasl_password_file": tmp_path / "password"},
            "SCRAM": {**user, "kafka_sasl_mechanism": "SCRAM-SHA-512", "kafka_sasl_password": "scrambled"},
            "token": {
                **tls,
                "kafka_bootstrap_servers": guarded.login,
                "kafka_sasl_mechanism": "OAUTHBEARER",
                "kafka_sasl_token_file": tmp_path / "token",
            },
        }
        (tmp_path / "password").write_text(PASSWORD + "\n")
        (tmp_path / "token").write_text(token() + "\n")
        kept = {name: getattr(settings, name) for name in settings.model_fields_set}
        made = Settings(**(kept | ways[way] | changes))
        made.check()
        return made

    return make


@pytest.mark.parametrize("way", ["certificate", "locked certificate", "PLAIN", "token"])
async def test_each_way_in_lets_clients_of_each_kind_in(secured, guarded, way):
    settings = secured(way, topic_prefix="")
    async with broker.open_producer(settings) as producer:
        await producer.send_and_wait(TOPIC, b"{}", key=way.encode())

    found = [record.key async for record in topic_logs.tail(settings, TOPIC, from_beginning=True, to_end=True)]

    assert way.encode() in found


async def test_consumer_and_relay_work_over_tls_with_a_user_that_has_the_documented_rights(secured, guarded):
    settings, user_id = secured("SCRAM"), new_id()
    anybody = secured("anybody")
    await broker.create_topics(anybody)
    await allow(anybody, USER)
    data = json.dumps({"user_id": user_id, "email": "ada@example.org", "name": "Ada"})
    sending = ["send", "user.register.v1", data, "--source", SOURCE, "--wait-seconds", "30", "--json"]
    with running(settings, "run") as process, running(anybody, "events", "tail", "--from-beginning") as tail:

        async def is_published() -> bool:
            return user_id in tail.printed

        with running(anybody, *sending) as sender:
            code, printed = await asyncio.to_thread(sender.finish)
        assert code == 0, printed
        assert json.loads(printed)["outcome"] == "applied"
        await eventually("the event is published", is_published)
        code, printed = await asyncio.to_thread(process.stop)
    assert code == 0, printed
    assert "scrambled" not in printed


async def test_consumer_that_may_not_join_its_group_ends_and_says_so(secured):
    settings, anybody = secured("PLAIN"), secured("anybody")
    await broker.create_topics(anybody)
    group, read = 3, 3
    await grant(anybody, "somebody else", [(group, settings.consumer_group, read)])

    with pytest.raises(ExceptionGroup) as refused:
        await life.run(settings, "consumer", Ending())

    text, code = explain(refused.value) or ("", 0)
    assert (code, "GroupAuthorizationFailedError" in text) == (EXIT_FAILED, True)


def test_process_with_a_wrong_password_ends_with_one_line(secured):
    with running(secured("SCRAM", kafka_sasl_password="guess"), "consume") as process:
        code, printed = process.finish()

    said = [line for line in printed.splitlines() if " ERROR " not in line]
    assert (code, len(said)) == (EXIT_UNREACHABLE, 1), printed
    assert "refuses our user" in said[0]
    assert "guess" not in printed


REFUSED: dict[str, tuple[str, Callable[[Guarded], dict[str, object]], str]] = {
    "wrong password": (
        "PLAIN",
        lambda _: {"kafka_sasl_password_file": None, "kafka_sasl_password": "guess"},
        "refuses our user",
    ),
    "unknown mechanism": (
        "SCRAM",
        lambda _: {"kafka_sasl_mechanism": "SCRAM-SHA-256"},
        "SQUAD_KAFKA_SASL_MECHANISM",
    ),
    "wrong authority": (
        "SCRAM",
        lambda guarded: {"kafka_ssl_ca_file": guarded.stranger},
        "SQUAD_KAFKA_SSL_CA_FILE",
    ),
    "another name": (
        "SCRAM",
        lambda guarded: {"kafka_bootstrap_servers": guarded.login.replace("127.0.0.1", "localhost")},
        "SQUAD_KAFKA_SSL_CHECK_HOSTNAME",
    ),
    "no certificate": (
        "certificate",
        lambda _: {"kafka_ssl_certificate_file": None},
        "SQUAD_KAFKA_SSL_CERTIFICATE_FILE",
    ),
    "no tls": (
        "PLAIN",
        lambda _: {"kafka_security_protocol": "sasl_plaintext", "kafka_ssl_ca_file": None},
        "SQUAD_KAFKA_SECURITY_PROTOCOL",
    ),
    "tls where there is none": (
        "SCRAM",
        lambda guarded: {"kafka_bootstrap_servers": guarded.open},
        "SQUAD_KAFKA_SECURITY_PROTOCOL",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_who_is_not_let_in_is_told_why_in_one_line(secured, guarded, what):
    way, changes, why = REFUSED[what]

    with pytest.raises(broker.UnreachableError) as refused:
        await broker.check_topics(secured(way, **changes(guarded)))

    text, code = explain(refused.value) or ("", 0)
    assert (code, "\n" in text) == (EXIT_UNREACHABLE, False)
    assert why in text
    assert "guess" not in text


async def test_topic_that_the_relay_may_not_write_lets_others_go_on_until_it_may(secured, guarded, database):
    settings, anybody = secured("SCRAM"), secured("anybody")
    await broker.create_topics(anybody)
    events, outcomes = settings.topic("events"), settings.topic("outcomes")
    topic, write = 2, 4
    await grant(anybody, "somebody else", [(topic, events, write)])
    for number in (1, 2):
        await write_rows(database, "a", [number], topic=events)
        await write_rows(database, "a", [number], topic=outcomes)
    publisher = KafkaPublisher(
        client=broker.client_arguments(settings),
        patience_seconds=0.2,
        backoff_first_seconds=0.01,
        backoff_most_seconds=0.05,
    )
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
        (trouble,) = publisher.troubles.describe().values()
        assert trouble["error"] == "TOPIC_AUTHORIZATION_FAILED"
        awaited = {row.topic for row in await fetch_rows(database, "SELECT topic FROM held WHERE awaits IS NOT NULL")}
        assert awaited == {events}
        await grant(anybody, USER, [(topic, events, write)])
        async with asyncio.timeout(30):
            while await fetch_rows(database, "SELECT 1 FROM held"):
                await relay.relay_batch()
    await publisher.close()
    for name in (events, outcomes):
        found = [dict(each.headers) async for each in topic_logs.tail(anybody, name, from_beginning=True, to_end=True)]
        assert [(headers["ce_sequence"] or b"")[-1:] for headers in found] == [b"1", b"2"]
