"""Which of PostgreSQL's settings go together, and what they amount to."""

from collections.abc import Iterator

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.options.database import DatabaseOptions
from app.options.given import given, twice, unreadable, unused
from app.options.names import variable
from app.options.values import read_secret
from db import addresses
from db.tls import DatabaseTls, TlsFileError, TlsFiles

_CERTIFICATE = (
    "database_ssl_certificate_file",
    "database_ssl_key_file",
    "database_ssl_key_password",
    "database_ssl_key_password_file",
)
_UNVERIFIED = {"disable", "prefer", "require"}
_UNENCRYPTED = {"disable", "prefer"}


def address(options: DatabaseOptions, *, direct: bool = False) -> URL:
    """Give where PostgreSQL is, with the password.

    Args:
        options: checked.
        direct: whether it must be PostgreSQL itself; a pooler's address will not do.

    Raises:
        OSError: the file with the password cannot be read.
    """
    return _with_password(options, (options.database_direct_url if direct else None) or options.database_url)


def replica_address(options: DatabaseOptions) -> URL | None:
    """Give where the replica is, with the password; `None`: there is none.

    Raises:
        OSError: the file with the password cannot be read.
    """
    chosen = options.database_replica_url
    return None if chosen is None else _with_password(options, chosen)


def tls(options: DatabaseOptions) -> DatabaseTls:
    """Give how PostgreSQL is spoken to.

    Raises:
        OSError: the file with the key's password cannot be read.
    """
    files = TlsFiles(
        ca_file=options.database_ssl_ca_file,
        certificate_file=options.database_ssl_certificate_file,
        key_file=options.database_ssl_key_file,
        key_password=read_secret(options.database_ssl_key_password, options.database_ssl_key_password_file),
    )
    return DatabaseTls(mode=options.database_ssl_mode, files=files)


def faults(options: DatabaseOptions) -> Iterator[str]:
    """Say what does not go together, each naming its variable and showing no secret."""
    found = [*_address_faults(options, "database_url"), *_tls_faults(options)]
    for name in ("database_direct_url", "database_replica_url"):
        if getattr(options, name) is not None:
            found += _address_faults(options, name)
    found += unreadable(options, ["database_password_file"])
    yield from found
    if not found:
        try:
            tls(options).for_asyncpg()
        except TlsFileError as error:
            yield f"{variable('database_ssl_ca_file' if error.is_ca else 'database_ssl_certificate_file')}: {error}"


def _with_password(options: DatabaseOptions, address: str) -> URL:
    url = make_url(address)
    return url.set(password=url.password or read_secret(None, options.database_password_file))


def _address_faults(options: DatabaseOptions, name: str) -> Iterator[str]:
    try:
        url = make_url(getattr(options, name))
    except ArgumentError:
        yield f"{variable(name)}: is not a database URL"
        return
    try:
        several = addresses.list_hosts(url)
    except ValueError as error:
        yield f"{variable(name)}: {error}"
        return
    wanted, allowed = (
        url.query.get(addresses.ATTRIBUTE),
        addresses.READABLE if "replica" in name else addresses.WRITABLE,
    )
    if wanted is not None and wanted not in allowed:
        yield f"{variable(name)}: has {addresses.ATTRIBUTE}={wanted}; it can be {', '.join(allowed)}"
    if len(several) > 1 and options.database_pooler != "none" and name == "database_url":
        yield f"{variable(name)}: has several addresses, and {variable('database_pooler')} hides which one takes writes"
    strange = sorted(key for key in url.query if key.startswith("ssl") or key == "direct_tls")
    if strange:
        yield f"{variable(name)}: has {', '.join(strange)}; TLS is said by {variable('database_ssl_mode')} and its like"
    if url.password and options.database_password_file is not None:
        yield f"{variable(name)}: has a password, and so has {variable('database_password_file')}"


def _tls_faults(options: DatabaseOptions) -> Iterator[str]:
    mode = f"with {variable('database_ssl_mode')}={options.database_ssl_mode}"
    if options.database_ssl_mode in _UNENCRYPTED:
        yield from unused(options, _CERTIFICATE, mode)
    elif given(options, _CERTIFICATE) and options.database_ssl_certificate_file is None:
        yield f"{variable('database_ssl_certificate_file')}: is needed with a key"
    if options.database_ssl_mode in _UNVERIFIED:
        yield from unused(options, ["database_ssl_ca_file"], mode)
    if options.database_ssl_mode == "verify-ca" and options.database_ssl_ca_file is None:
        yield f"{variable('database_ssl_ca_file')}: is needed {mode}"
    yield from twice(options, "database_ssl_key_password")
    yield from unreadable(options, ["database_ssl_key_password_file"])
