"""Kafka's settings: what goes together, what is said when it does not, and that no secret is shown."""

import pytest

from app import broker
from app.kafka_security import TokenFile
from app.settings import PREFIX, Settings, SettingsError, as_text, masked
from tests.certificates import KEY_PASSWORD, write_authority, write_certificate


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificates")
    authority, ca = write_authority(directory)
    other, _ = write_authority(directory, "other")
    (directory / "nonsense").write_text("no certificate")
    (directory / "password").write_text("from a file\n")
    return {
        "ca": ca,
        "certificate": write_certificate(authority, directory, "client"),
        "locked": write_certificate(authority, directory, "locked", password=KEY_PASSWORD),
        "key": write_certificate(other, directory, "somebody"),
        "nonsense": directory / "nonsense",
        "password": directory / "password",
        "missing": directory / "missing",
    }


def load(monkeypatch, files, protocol: str, **given: str) -> Settings:
    monkeypatch.setenv("SQUAD_KAFKA_SECURITY_PROTOCOL", protocol)
    for name, value in given.items():
        monkeypatch.setenv(f"SQUAD_KAFKA_{name.upper()}", str(files.get(value, value)))
    return Settings.load()


PLAIN = {"sasl_mechanism": "PLAIN", "sasl_username": "squad"}


@pytest.mark.parametrize(
    ("protocol", "given", "said"),
    [
        ("tls", {}, "SQUAD_KAFKA_SECURITY_PROTOCOL"),
        (
            "plaintext",
            {"ssl_ca_file": "ca"},
            "SQUAD_KAFKA_SSL_CA_FILE: is not used with SQUAD_KAFKA_SECURITY_PROTOCOL=",
        ),
        ("plaintext", {"sasl_password": "hush"}, "SQUAD_KAFKA_SASL_PASSWORD: is not used"),
        ("ssl", {"sasl_username": "squad"}, "SQUAD_KAFKA_SASL_USERNAME: is not used"),
        ("ssl", {"ssl_ca_file": "missing"}, "SQUAD_KAFKA_SSL_CA_FILE: .*there is no such file"),
        ("ssl", {"ssl_ca_file": "nonsense"}, "SQUAD_KAFKA_SSL_CA_FILE: .*not the PEM"),
        ("ssl", {"ssl_certificate_file": "nonsense"}, "SQUAD_KAFKA_SSL_CERTIFICATE_FILE: .*not the PEM"),
        ("ssl", {"ssl_certificate_file": "certificate", "ssl_key_file": "key"}, "another certificate's"),
        ("ssl", {"ssl_certificate_file": "certificate", "ssl_key_file": "missing"}, "missing: there is no such file"),
        ("ssl", {"ssl_certificate_file": "locked"}, "SQUAD_KAFKA_SSL_CERTIFICATE_FILE: .*another password"),
        ("ssl", {"ssl_certificate_file": "locked", "ssl_key_password": "hush"}, "another password"),
        ("ssl", {"ssl_key_file": "key"}, "SQUAD_KAFKA_SSL_CERTIFICATE_FILE: is needed with a key"),
        ("sasl_ssl", {}, "SQUAD_KAFKA_SASL_MECHANISM: is needed"),
        ("sasl_ssl", PLAIN, "SQUAD_KAFKA_SASL_PASSWORD or SQUAD_KAFKA_SASL_PASSWORD_FILE: is needed"),
        ("sasl_ssl", {"sasl_mechanism": "PLAIN", "sasl_password": "hush"}, "SQUAD_KAFKA_SASL_USERNAME: is needed"),
        ("sasl_ssl", PLAIN | {"sasl_password": "hush", "sasl_password_file": "password"}, "not both"),
        ("sasl_ssl", PLAIN | {"sasl_password_file": "missing"}, "SQUAD_KAFKA_SASL_PASSWORD_FILE: .*cannot be read"),
        ("sasl_ssl", {"sasl_mechanism": "OAUTHBEARER"}, "SQUAD_KAFKA_SASL_TOKEN_FILE: is needed"),
        ("sasl_ssl", {"sasl_mechanism": "GSSAPI"}, "SQUAD_KAFKA_SASL_MECHANISM"),
    ],
)
def test_what_does_not_go_together_is_named_and_no_secret_shown(monkeypatch, files, protocol, given, said):
    with pytest.raises(SettingsError, match=said) as refused:
        load(monkeypatch, files, protocol, **given)

    assert "hush" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_password_comes_from_a_file_without_its_line_end(monkeypatch, files):
    settings = load(monkeypatch, files, "sasl_ssl", **PLAIN, ssl_ca_file="ca", sasl_password_file="password")

    arguments = broker.client_arguments(settings)

    assert arguments["sasl_plain_password"] == "from a file"
    assert (arguments["security_protocol"], arguments["sasl_mechanism"]) == ("SASL_SSL", "PLAIN")
    assert arguments["ssl_context"].check_hostname


def test_key_with_a_password_opens(monkeypatch, files):
    password = {"ssl_certificate_file": "locked", "ssl_key_password": KEY_PASSWORD}

    assert broker.client_arguments(load(monkeypatch, files, "ssl", **password))["ssl_context"]


def test_name_of_the_broker_is_left_unchecked_only_when_told(monkeypatch, files):
    context = broker.client_arguments(load(monkeypatch, files, "ssl", ssl_check_hostname="false"))["ssl_context"]

    assert (context.check_hostname, context.verify_mode.name) == (False, "CERT_REQUIRED")


async def test_renewed_token_is_read_again(tmp_path):
    path = tmp_path / "token"
    path.write_text("first\n")
    provider = TokenFile(path)
    first = await provider.token()
    path.write_text("second")

    assert (first, await provider.token()) == ("first", "second")


def test_empty_variable_is_as_good_as_none(monkeypatch, files):
    settings = load(monkeypatch, files, "plaintext", sasl_password="", ssl_ca_file="", sasl_mechanism="")

    assert [settings.kafka_sasl_password, settings.kafka_ssl_ca_file, settings.kafka_sasl_mechanism] == [None] * 3
    assert broker.client_arguments(settings)["security_protocol"] == "PLAINTEXT"


def test_secret_is_masked_wherever_settings_are_shown(monkeypatch, files):
    settings = load(monkeypatch, files, "sasl_plaintext", **PLAIN, sasl_password="hush")

    assert masked("kafka_sasl_password", settings.kafka_sasl_password) == "***"
    assert masked("kafka_ssl_key_password", settings.kafka_ssl_key_password) == ""
    assert "hush" not in repr(settings)
    assert as_text(settings.kafka_sasl_password) == "hush"
