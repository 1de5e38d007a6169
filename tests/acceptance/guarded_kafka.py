"""A broker that is spoken to by TLS only, and asks who we are."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka.admin import NewTopic
from aiokafka.protocol.admin import CreateAclsRequest

import stack
from app import broker
from app.settings import Settings
from stack.jars import jars_directory
from stack.places import cache_directory
from stack.ports import find_free_port
from tests.certificates import KEY_PASSWORD, write_authority, write_certificate

ENVIRONMENT = {**os.environ, "SQUAD_STACK": "local"}
MODULES = "org.apache.kafka.common.security"
USER, PASSWORD = "squad", "p w,d=1"
TOPIC = "greetings"


def why_not_here() -> str:
    try:
        stack.choose(ENVIRONMENT)
    except stack.StackError as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class Guarded:
    """A broker with an open listener, one that wants certificates and one that wants users."""

    open: str
    mutual: str
    login: str
    ca: Path
    stranger: Path
    certificate: Path
    locked_certificate: Path


def properties_of(listeners: str, *, server: Path, ca: Path) -> dict[str, str]:
    """Give the broker's properties.

    Args:
        listeners: all of them.
        server: the broker's certificate and key.
        ca: who signs those of clients.
    """
    return {
        "group.min.session.timeout.ms": "1000",
        "connection.failed.authentication.delay.ms": "0",
        # Who comes by the open listener may do anything; of what has a rule, others only what the rule says.
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "true",
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "${ours},MUTUAL:SSL,LOGIN:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.login.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.login.plain.sasl.jaas.config": (
            f'{MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "listener.name.login.scram-sha-512.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule required;",
        "listener.name.login.oauthbearer.sasl.jaas.config": (
            f'{MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
        ),
    }


@contextmanager
def start_guarded() -> Iterator[Guarded]:
    """Start the broker, with a topic and a user, for as long as the block lasts."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        authority, ca = write_authority(directory)
        _, stranger = write_authority(directory, "stranger")
        mutual, login = (f"127.0.0.1:{find_free_port()}" for _ in range(2))
        server = write_certificate(authority, directory, "127.0.0.1")
        listeners = f"${{ours}},MUTUAL://{mutual},LOGIN://{login}"
        properties = properties_of(listeners, server=server, ca=ca)
        with stack.start(
            name=f"test-guarded-{os.getpid()}", environment=ENVIRONMENT, kafka_properties=properties
        ) as started:
            add_scram_user(started.bootstrap_servers)
            asyncio.run(add_topic(started.bootstrap_servers))
            yield Guarded(
                open=started.bootstrap_servers,
                mutual=mutual,
                login=login,
                ca=ca,
                stranger=stranger,
                certificate=write_certificate(authority, directory, "client"),
                locked_certificate=write_certificate(authority, directory, "locked", password=KEY_PASSWORD),
            )


def add_scram_user(bootstrap_servers: str) -> None:
    """By Kafka's own tool: no client library of Python's can."""
    java = shutil.which("java")
    assert java
    jars = jars_directory(cache_directory(ENVIRONMENT))
    tool = [java, "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", "kafka.admin.ConfigCommand"]
    change = ["--alter", "--entity-type", "users", "--entity-name", USER]
    subprocess.run(
        [*tool, "--bootstrap-server", bootstrap_servers, *change, "--add-config", "SCRAM-SHA-512=[password=scrambled]"],
        check=True,
        capture_output=True,
    )


async def add_topic(bootstrap_servers: str) -> None:
    async with broker.open_admin(Settings(kafka_bootstrap_servers=bootstrap_servers)) as admin:
        await admin.create_topics([NewTopic(TOPIC, 1, 1)])


def token(*, lives_seconds: float = 300) -> str:
    """A token that says itself whose it is, as the broker's validator for tests takes it."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": USER, "iat": now, "exp": now + lives_seconds})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


async def allow(settings: Settings, user: str) -> None:
    """Give a user the rights of docs/security.md, for consumer and relay, and no other."""
    topic, group = 2, 3
    read, write, describe_configs = 3, 4, 10
    rights = [(topic, settings.topic(each), write) for each in ("events", "outcomes", "dead-letters")]
    rights += [(topic, settings.topic("commands"), each) for each in (read, describe_configs)]
    rights += [(group, settings.consumer_group, read)]
    await grant(settings, user, rights)


async def grant(settings: Settings, user: str, rights: Iterable[tuple[int, str, int]]) -> None:
    """Give rights: kind of thing, its name, operation, by their numbers in Kafka's protocol."""
    literal, permit = 3, 3
    async with broker.open_admin(settings) as admin:
        for kind, name, operation in rights:
            answer = await admin._send_request(
                CreateAclsRequest(kind, name, literal, f"User:{user}", "*", operation, permit)
            )
            assert answer.creation_responses[0][0] == 0
