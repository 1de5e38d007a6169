"""How every client of Kafka proves who it is, and what to say when that fails."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from app.options.kafka import KafkaOptions
from app.options.kafka_rules import tls_files, uses_sasl, uses_tls
from app.options.names import variable
from app.options.values import read_secret

_PROBE_TIMEOUT_MILLISECONDS: Final = 5_000


_ALERTS_ABOUT_US: Final = (
    *("CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_UNKNOWN_CA", "ALERT_HANDSHAKE_FAILURE"),
    *("ALERT_CERTIFICATE_EXPIRED", "ALERT_CERTIFICATE_UNKNOWN"),
)
"""What servers answer who shows no certificate, or one that they do not trust (RFC 8446, 6.2)."""


class TokenFile(AbstractTokenProvider):  # type: ignore[misc] # the client library is untyped
    """Gives the token that a file holds at that moment: whoever renews it writes the file anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """Give the token."""
        return (await asyncio.to_thread(self._path.read_text)).strip()


def security_arguments(options: KafkaOptions) -> dict[str, Any]:
    """Give what a client needs beside the brokers' addresses; nothing of it is to be logged.

    Raises:
        OSError, db.tls.TlsFileError: a file is not there any more, or not what it was when the settings were checked.
    """
    arguments: dict[str, Any] = {"security_protocol": options.kafka_security_protocol.upper()}
    if uses_tls(options):
        arguments["ssl_context"] = tls_files(options).build_context(check_hostname=options.kafka_ssl_check_hostname)
    if uses_sasl(options):
        arguments["sasl_mechanism"] = options.kafka_sasl_mechanism
        if options.kafka_sasl_token_file is not None:
            arguments["sasl_oauth_token_provider"] = TokenFile(options.kafka_sasl_token_file)
        else:
            arguments["sasl_plain_username"] = options.kafka_sasl_username
            arguments["sasl_plain_password"] = read_secret(
                options.kafka_sasl_password, options.kafka_sasl_password_file
            )
    return arguments


async def why_unreachable(client: Mapping[str, Any]) -> str:
    """Find out why no broker would have us: the client library only logs it.

    Args:
        client: the arguments of the client that failed.

    Returns:
        What each broker said, with the setting to look at.
    """
    security = {name: value for name, value in client.items() if name != "bootstrap_servers"}
    answers = []
    for host, port, _ in collect_hosts(client["bootstrap_servers"], randomize=False):
        try:
            connection = await create_conn(host, port, request_timeout_ms=_PROBE_TIMEOUT_MILLISECONDS, **security)
            connection.close()
        except (OSError, KafkaError, TimeoutError) as error:
            answers.append(f"{host}:{port}: {explain(error)}")
    return "; ".join(answers) or "no broker answered; now one does, so try again"


def explain(error: BaseException) -> str:
    """Say what an error of connecting means, and which setting to look at."""
    match error:
        case ssl.SSLCertVerificationError() if "ostname mismatch" in str(error) or "IP address mismatch" in str(error):
            return (
                f"the broker's certificate is made out to another name ({error.verify_message};"
                f" {variable('kafka_ssl_check_hostname')})"
            )
        case ssl.SSLCertVerificationError():
            return f"the broker's certificate is not trusted ({error.verify_message}; {variable('kafka_ssl_ca_file')})"
        case SaslAuthenticationFailed():
            return f"the broker refuses our user, password or token ({_said(error)}; {variable('kafka_sasl_username')})"
        case UnsupportedSaslMechanismError() | IllegalSaslStateError():
            return f"the broker does not log in so ({_said(error)}; {variable('kafka_sasl_mechanism')})"
        case ssl.SSLError() if any(alert in str(error) for alert in _ALERTS_ABOUT_US):
            return (
                f"the broker asks for a certificate of ours that it trusts ({error.reason};"
                f" {variable('kafka_ssl_certificate_file')})"
            )
        case ssl.SSLError():
            return f"TLS does not come about ({_said(error)}; {variable('kafka_security_protocol')})"
        case TimeoutError():
            return "no answer in time"
        case KafkaConnectionError() if error.__cause__ is not None:
            return explain(error.__cause__)
        case EOFError() | ConnectionResetError():
            return f"the broker hangs up: it may want another {variable('kafka_security_protocol')}"
        case _:
            return _said(error)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
