"""Authorities and certificates for the tests, and the files that servers and clients take them from."""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

KEY_PASSWORD = "the key's"


def write_authority(directory: Path, name: str = "ca") -> tuple[trustme.CA, Path]:
    """Make an authority; give it and the file with its certificate."""
    authority = trustme.CA(organization_name=name)
    path = directory / f"{name}.pem"
    authority.cert_pem.write_to_path(path)
    return authority, path


def write_certificate(authority: trustme.CA, directory: Path, *names: str, password: str | None = None) -> Path:
    """Issue a certificate for these names; give a file with it and its key, which Kafka wants as PKCS #8."""
    issued = authority.issue_cert(*names, common_name=names[0])
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption(),
    )
    path = directory / f"{names[0]}.pem"
    path.touch(mode=0o600)  # libpq takes no key that others may read
    path.write_bytes(b"".join([text, *(pem.bytes() for pem in issued.cert_chain_pems)]))
    return path
