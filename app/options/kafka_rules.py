"""Which of Kafka's settings go together."""

from collections.abc import Iterator

from app.options.given import given, missing, twice, unreadable, unused
from app.options.kafka import KafkaOptions
from app.options.names import variable
from app.options.values import read_secret
from db.tls import TlsFileError, TlsFiles

_TLS = (
    "kafka_ssl_ca_file",
    "kafka_ssl_certificate_file",
    "kafka_ssl_key_file",
    "kafka_ssl_key_password",
    "kafka_ssl_key_password_file",
)
_PASSWORD = ("kafka_sasl_username", "kafka_sasl_password", "kafka_sasl_password_file")
_SASL = ("kafka_sasl_mechanism", *_PASSWORD, "kafka_sasl_token_file")


def uses_tls(options: KafkaOptions) -> bool:
    """Tell whether the connection is encrypted."""
    return options.kafka_security_protocol in {"ssl", "sasl_ssl"}


def uses_sasl(options: KafkaOptions) -> bool:
    """Tell whether we log in."""
    return options.kafka_security_protocol in {"sasl_plaintext", "sasl_ssl"}


def tls_files(options: KafkaOptions) -> TlsFiles:
    """Give whom we trust, and who we are.

    Raises:
        OSError: the file with the key's password cannot be read.
    """
    return TlsFiles(
        ca_file=options.kafka_ssl_ca_file,
        certificate_file=options.kafka_ssl_certificate_file,
        key_file=options.kafka_ssl_key_file,
        key_password=read_secret(options.kafka_ssl_key_password, options.kafka_ssl_key_password_file),
    )


def faults(options: KafkaOptions) -> Iterator[str]:
    """Say what does not go together, each naming its variable and showing no secret."""
    protocol = f"with {variable('kafka_security_protocol')}={options.kafka_security_protocol}"
    found = [*_tls_faults(options, protocol), *_sasl_faults(options, protocol)]
    yield from found
    if uses_tls(options) and not found:
        try:
            tls_files(options).build_context()
        except TlsFileError as error:
            yield f"{variable('kafka_ssl_ca_file' if error.is_ca else 'kafka_ssl_certificate_file')}: {error}"


def _tls_faults(options: KafkaOptions, protocol: str) -> Iterator[str]:
    if not uses_tls(options):
        yield from unused(options, _TLS, protocol)
        return
    yield from twice(options, "kafka_ssl_key_password")
    yield from unreadable(options, ["kafka_ssl_key_password_file"])
    if options.kafka_ssl_certificate_file is None and given(options, _TLS[2:]):
        yield f"{variable('kafka_ssl_certificate_file')}: is needed with a key"


def _sasl_faults(options: KafkaOptions, protocol: str) -> Iterator[str]:
    if not uses_sasl(options):
        yield from unused(options, _SASL, protocol)
        return
    mechanism = f"with {variable('kafka_sasl_mechanism')}={options.kafka_sasl_mechanism}"
    match options.kafka_sasl_mechanism:
        case None:
            yield from missing(options, "kafka_sasl_mechanism", protocol)
        case "OAUTHBEARER":
            yield from missing(options, "kafka_sasl_token_file", mechanism)
            yield from unused(options, _PASSWORD, mechanism)
        case _:
            yield from missing(options, "kafka_sasl_username", mechanism)
            yield from missing(options, "kafka_sasl_password", mechanism)
            yield from unused(options, ["kafka_sasl_token_file"], mechanism)
    yield from twice(options, "kafka_sasl_password")
    yield from unreadable(options, ["kafka_sasl_password_file", "kafka_sasl_token_file"])
