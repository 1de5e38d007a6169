"""PostgreSQL's settings: what goes together, what is said when it does not, and that no secret is shown."""

import pytest

from app import wiring
from app.options import database_rules
from app.settings import PREFIX, Settings, SettingsError, masked
from db import addresses
from tests.certificates import write_authority, write_certificate

URL = "postgresql+asyncpg://squad@db/squad"
BOTH = "postgresql+asyncpg://squad@/squad?host=one:5432&host=two:5433"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificates")
    authority, ca = write_authority(directory)
    (directory / "password").write_text("from a file\n")
    return {
        "ca": ca,
        "certificate": write_certificate(authority, directory, "client"),
        "password": directory / "password",
        "missing": directory / "missing",
    }


def load(monkeypatch, files, **given: str) -> Settings:
    for name, value in given.items():
        monkeypatch.setenv(f"SQUAD_DATABASE_{name.upper()}", str(files.get(value, value)))
    return Settings.load()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "no url with hush"}, "SQUAD_DATABASE_URL: is not a database URL"),
        ({"url": f"{URL}?sslmode=require"}, "SQUAD_DATABASE_URL: has sslmode; TLS is said by SQUAD_DATABASE_SSL_MODE"),
        ({"url": f"{URL}?ssl=true&sslrootcert=x"}, "SQUAD_DATABASE_URL: has ssl, sslrootcert"),
        ({"ssl_mode": "on"}, "SQUAD_DATABASE_SSL_MODE"),
        ({"ssl_mode": "verify-ca"}, "SQUAD_DATABASE_SSL_CA_FILE: is needed with SQUAD_DATABASE_SSL_MODE=verify-ca"),
        ({"ssl_mode": "require", "ssl_ca_file": "ca"}, "SQUAD_DATABASE_SSL_CA_FILE: is not used"),
        ({"ssl_certificate_file": "certificate"}, "SQUAD_DATABASE_SSL_CERTIFICATE_FILE: is not used"),
        ({"ssl_mode": "require", "ssl_key_file": "certificate"}, "SSL_CERTIFICATE_FILE: is needed with a key"),
        ({"ssl_mode": "verify-full", "ssl_ca_file": "missing"}, "SQUAD_DATABASE_SSL_CA_FILE: .*no such file"),
        ({"password_file": "missing"}, "SQUAD_DATABASE_PASSWORD_FILE: .*cannot be read"),
        ({"url": "postgresql://squad:hush@db/x", "password_file": "password"}, "SQUAD_DATABASE_URL: has a password"),
        ({"pooler": "pgbouncer"}, "SQUAD_DATABASE_POOLER"),
        ({"direct_url": "hush"}, "SQUAD_DATABASE_DIRECT_URL: is not a database URL"),
        ({"replica_url": "hush"}, "SQUAD_DATABASE_REPLICA_URL: is not a database URL"),
        ({"replica_url": f"{URL}?sslmode=require"}, "SQUAD_DATABASE_REPLICA_URL: has sslmode"),
        ({"url": f"{URL}?host=a:1&host=b:2"}, "SQUAD_DATABASE_URL: has an address beside those of host="),
        ({"url": f"{BOTH}&host=c"}, "SQUAD_DATABASE_URL: host=c has no port"),
        ({"url": f"{BOTH}&target_session_attrs=standby"}, "SQUAD_DATABASE_URL: has target_session_attrs=standby"),
        (
            {"replica_url": f"{BOTH}&target_session_attrs=best"},
            "SQUAD_DATABASE_REPLICA_URL: .*it can be prefer-standby",
        ),
        ({"url": BOTH, "pooler": "pgbouncer-transaction"}, "SQUAD_DATABASE_URL: has several addresses"),
    ],
)
def test_what_does_not_go_together_is_named_and_no_secret_shown(monkeypatch, files, given, said):
    with pytest.raises(SettingsError, match=said) as refused:
        load(monkeypatch, files, **given)

    assert "hush" not in str(refused.value)


def test_password_comes_from_a_file_and_is_not_shown(monkeypatch, files):
    settings = load(monkeypatch, files, url=URL, password_file="password")

    assert database_rules.address(settings).password == "from a file"
    assert "from a file" not in repr(wiring.build_database(settings).url)
    assert masked("database_url", settings.database_url) == URL


def test_replica_gets_the_same_password_and_does_not_show_it(monkeypatch, files):
    settings = load(
        monkeypatch, files, url=URL, password_file="password", replica_url="postgresql://squad@replica/squad"
    )

    found = database_rules.replica_address(settings)
    assert found is not None
    assert (found.host, found.password) == ("replica", "from a file")
    assert "hush" not in masked("database_replica_url", "postgresql://squad:hush@replica/squad")
    assert wiring.build_database(settings).url.host == "db"


def test_of_several_addresses_the_one_that_takes_writes_is_wanted_and_for_reading_better_a_standby(monkeypatch, files):
    settings = load(monkeypatch, files, url=BOTH, password_file="password", replica_url=BOTH)

    database = wiring.build_database(settings)
    found = database_rules.replica_address(settings)

    assert (database.url.query["target_session_attrs"], database.url.password) == ("read-write", "from a file")
    assert database._replica is not None
    assert database._replica.url.query["target_session_attrs"] == "prefer-standby"
    assert found is not None
    assert addresses.list_hosts(found) == [("one", 5432), ("two", 5433)]
    alone = addresses.single(database.url, ("two", 5433))
    assert (alone.host, alone.port, dict(alone.query)) == ("two", 5433, {})
    primary = load(monkeypatch, files, url=f"{BOTH}&target_session_attrs=primary")
    assert wiring.build_database(primary).url.query["target_session_attrs"] == "primary"


def test_drivers_are_told_the_same(monkeypatch, files):
    given = {"ssl_mode": "verify-full", "ssl_ca_file": "ca", "ssl_certificate_file": "certificate"}
    tls = database_rules.tls(load(monkeypatch, files, **given))

    assert tls.for_psycopg() == {
        "sslmode": "verify-full",
        "sslrootcert": str(files["ca"]),
        "sslcert": str(files["certificate"]),
        "sslkey": str(files["certificate"]),
    }
    context = tls.for_asyncpg()
    assert not isinstance(context, str | bool)
    assert context.check_hostname


def test_relay_and_migrations_need_postgresql_itself(monkeypatch, files):
    settings = load(monkeypatch, files, url=URL, pooler="pgbouncer-transaction")

    assert wiring.build_database(settings).url.host == "db"
    with pytest.raises(SettingsError, match="SQUAD_DATABASE_DIRECT_URL: is needed by relay and migrations"):
        wiring.build_database(settings, direct=True)
    with pytest.raises(SettingsError, match="SQUAD_DATABASE_DIRECT_URL: is needed by relay and migrations"):
        wiring.migrate(settings)

    straight = load(monkeypatch, files, direct_url="postgresql+asyncpg://squad:hush@primary/squad")
    assert wiring.build_database(straight, direct=True).url.host == "primary"
    assert "hush" not in masked("database_direct_url", straight.database_direct_url)
