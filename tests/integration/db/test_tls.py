"""PostgreSQL by TLS: who is trusted, who is not, and what is said then; asynchronous, synchronous, migrations."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import make_url, text

from app import postgres, wiring
from app.cli.faults import EXIT_UNREACHABLE, explain
from app.settings import Settings
from tests.certificates import KEY_PASSWORD, write_authority, write_certificate
from tests.tls_terminator import terminating


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificates")
    authority, ca = write_authority(directory)
    _, stranger = write_authority(directory, "stranger")
    return {
        "ca": ca,
        "stranger": stranger,
        "server": write_certificate(authority, directory, "127.0.0.1"),
        "client": write_certificate(authority, directory, "client"),
        "locked": write_certificate(authority, directory, "locked", password=KEY_PASSWORD),
    }


@asynccontextmanager
async def guarded(settings: Settings, files, *, host: str = "127.0.0.1", asks_for_certificate: bool = False):
    """Give settings for the same database, by TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["server"])
    if asks_for_certificate:
        context.load_verify_locations(files["ca"])
        context.verify_mode = ssl.CERT_REQUIRED
    url = make_url(settings.database_url)
    assert url.host
    assert url.port
    async with terminating(url.host, url.port, context) as port:
        address = url.set(host=host, port=port).render_as_string(hide_password=False)
        yield settings.model_copy(update={"database_url": address})


async def ask(settings: Settings) -> int:
    settings.check()
    async with wiring.open_database(settings, pool_size=1) as database, database.sessions() as session:
        return await session.scalar(text("SELECT 1")) or 0


def ask_synchronously(settings: Settings) -> int:
    database = wiring.build_database(settings, pool_size=1)
    try:
        with database.sync_sessions() as session:
            return session.scalar(text("SELECT 1")) or 0
    finally:
        database.sync_engine.dispose()


TRUSTED: dict[str, tuple[bool, dict[str, str]]] = {
    "whoever offers it": (False, {"mode": "prefer"}),
    "encrypted, whoever it is": (False, {"mode": "require"}),
    "signed": (False, {"mode": "verify-ca", "ca_file": "ca"}),
    "signed, and by its name": (False, {"mode": "verify-full", "ca_file": "ca"}),
    "with our certificate": (True, {"mode": "verify-full", "ca_file": "ca", "certificate_file": "client"}),
    "with our locked certificate": (
        True,
        {"mode": "verify-full", "ca_file": "ca", "certificate_file": "locked", "key_password": KEY_PASSWORD},
    ),
}


def with_tls(settings: Settings, files, given: dict[str, str]) -> Settings:
    kept = {name: getattr(settings, name) for name in settings.model_fields_set}
    return Settings(**kept, **{f"database_ssl_{name}": files.get(value, value) for name, value in given.items()})


@pytest.mark.parametrize("how", TRUSTED)
async def test_trusted_server_is_spoken_to_by_both_drivers(settings, files, how):
    asks_for_certificate, given = TRUSTED[how]
    async with guarded(settings, files, asks_for_certificate=asks_for_certificate) as found:
        secured = with_tls(found, files, given)

        assert await ask(secured) == 1
        assert await asyncio.to_thread(ask_synchronously, secured) == 1


REFUSED: dict[str, tuple[str, dict[str, str], str]] = {
    "another authority": ("127.0.0.1", {"mode": "verify-ca", "ca_file": "stranger"}, "SSL_CA_FILE"),
    "another name": ("localhost", {"mode": "verify-full", "ca_file": "ca"}, "another name"),
    "authorities of the system": ("127.0.0.1", {"mode": "verify-full"}, "SSL_CA_FILE"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_process_ends_at_a_server_that_does_not_fit_and_says_why(settings, files, what):
    host, given, said = REFUSED[what]
    async with guarded(settings, files, host=host) as found:
        with pytest.raises(postgres.RefusedError) as refused:
            await postgres.check_database(with_tls(found, files, given), "consumer")

    text_, code = explain(refused.value) or ("", 0)
    assert (code, "\n" in text_) == (EXIT_UNREACHABLE, False)
    assert said in text_


async def test_server_without_tls_is_refused_where_tls_is_asked_for(settings):
    with pytest.raises(postgres.RefusedError, match=r"has no TLS \(SQUAD_DATABASE_SSL_MODE\)"):
        await postgres.check_database(settings.model_copy(update={"database_ssl_mode": "require"}), "relay")


async def test_name_that_is_not_checked_may_be_another(settings, files):
    async with guarded(settings, files, host="localhost") as found:
        assert await ask(with_tls(found, files, {"mode": "verify-ca", "ca_file": "ca"})) == 1


async def test_migrations_are_made_by_tls(settings, files, empty_database_url):
    async with guarded(settings, files) as found:
        name = make_url(empty_database_url).database
        own = found.model_copy(update={"database_url": str(make_url(found.database_url).set(database=name))})
        secured = with_tls(own, files, {"mode": "verify-full", "ca_file": "ca"})

        await asyncio.to_thread(wiring.migrate, secured)
        await wiring.make_partitions(secured)
