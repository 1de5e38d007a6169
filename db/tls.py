"""TLS as our clients speak it: contexts made of files, and what PostgreSQL's two drivers are told."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

TlsMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
"""As libpq names them (PostgreSQL documentation, 32.19.1)."""


class TlsFileError(ValueError):
    """A file does not hold what it should; the message says which file and why, and shows nothing of it.

    Attributes:
        is_ca: whether it is the file of authorities, else one of the certificate's.
    """

    def __init__(self, path: Path, why: object, *, is_ca: bool) -> None:
        self.is_ca = is_ca
        super().__init__(f"{path}: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Whom we trust, and who we are.

    Args:
        ca_file: the authorities to trust, PEM; absent: the system's.
        certificate_file: our certificate with its chain, PEM, where the server asks for one.
        key_file: its key, PEM; absent: in the certificate's file.
        key_password: of the key.
    """

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = field(default=None, repr=False)

    def build_context(self, *, verify: bool = True, check_hostname: bool = True) -> ssl.SSLContext:
        """Build a client's context, TLS 1.2 at least.

        Args:
            verify: whether the server's certificate must be signed by whom we trust.
            check_hostname: whether it must be made out to the name that is connected to.

        Raises:
            TlsFileError: a file cannot be used.
        """
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            try:
                context.load_verify_locations(self.ca_file)
            except (OSError, ValueError) as error:
                raise TlsFileError(self.ca_file, _reason(error), is_ca=True) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = verify and check_hostname
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        if self.certificate_file is not None:
            try:
                # Always with a password, even an empty one: without, OpenSSL would ask the terminal for it.
                context.load_cert_chain(self.certificate_file, self.key_file, lambda: self.key_password or "")
            except (OSError, ValueError) as error:
                place = self.key_file if self.key_file is not None and _is_missing(error) else self.certificate_file
                raise TlsFileError(place, _reason(error), is_ca=False) from None
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseTls:
    """How PostgreSQL is spoken to.

    Args:
        mode: as libpq has it; `prefer` takes TLS where the server has it, and verifies nothing.
        files: whom we trust and who we are; used from `require` on.
    """

    mode: TlsMode = "prefer"
    files: TlsFiles = field(default_factory=TlsFiles)

    def for_asyncpg(self) -> ssl.SSLContext | str | bool:
        """Give asyncpg's argument `ssl`; never absent, so that no variable of libpq's decides.

        Raises:
            TlsFileError: a file cannot be used.
        """
        match self.mode:
            case "disable":
                return False
            case "prefer":
                return "prefer"
            case _:
                return self.files.build_context(
                    verify=self.mode != "require", check_hostname=self.mode == "verify-full"
                )

    def for_psycopg(self) -> dict[str, Any]:
        """Give libpq's parameters."""
        given = {
            "sslmode": self.mode,
            "sslrootcert": self.files.ca_file or ("system" if self.mode == "verify-full" else None),
            "sslcert": self.files.certificate_file,
            "sslkey": self.files.key_file or self.files.certificate_file,
            "sslpassword": self.files.key_password,
        }
        return {name: str(value) for name, value in given.items() if value is not None}


def _is_missing(error: Exception) -> bool:
    return isinstance(error, FileNotFoundError | PermissionError)


def _reason(error: Exception) -> str:
    """Say why a file was refused; OpenSSL has other words for each."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "may not be read"
    text = str(error)
    if "KEY_VALUES_MISMATCH" in text:
        return "the key is another certificate's"
    if "no start line" in text or "NO_CERTIFICATE_OR_CRL_FOUND" in text or "PEM" in text:
        return "is not the PEM that is needed, or its key has another password"
    return f"cannot be used ({text.partition(chr(10))[0]})"
