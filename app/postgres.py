"""PostgreSQL as an operator sees it: reached or not, and what to look at."""

import logging
import ssl

from app import wiring
from app.options.names import variable
from app.settings import Settings
from app.wiring import Kind
from db.errors import sqlstate
from db.pooling import PoolerError

logger = logging.getLogger("squad.process")

_REFUSED_STATES = ("28", "3D")
"""Classes of states: the user is refused; the database is not there (PostgreSQL, appendix A)."""


class RefusedError(Exception):
    """PostgreSQL, or what stands before it, will not have us; waiting does not help. The message says why."""


async def check_database(settings: Settings, kind: Kind) -> None:
    """Connect once, as this kind of process will.

    A database that is away is none to stop for: processes wait for it. What no waiting cures is refused here, where
    somebody looks.

    Raises:
        RefusedError: user, certificate, name or pooler do not fit.
        app.settings.SettingsError: the relay has no address of PostgreSQL itself.
    """
    for direct in {"consumer": (False,), "relay": (True,), "all": (False, True)}[kind]:
        async with wiring.open_database(settings, pool_size=1, direct=direct) as database:
            try:
                async with database.engine.connect() as connection:
                    await connection.close()
            except Exception as error:
                why = why_refused(error)
                if why is not None:
                    raise RefusedError(why) from error
                logger.warning("the database is not there yet: %s", str(error).partition("\n")[0])


def why_refused(error: BaseException) -> str | None:
    """Say why a connection was refused for good, and which setting to look at; `None`: it was not, or nobody knows."""
    cause: BaseException | None = error
    while cause is not None:
        why = _explain(cause)
        if why is not None:
            return why
        cause = cause.__cause__ or getattr(cause, "orig", None)
    return None


def _explain(error: BaseException) -> str | None:
    # Without SQLAlchemy's "(class of the driver's error)".
    said = str(getattr(error, "orig", error)).partition("\n")[0]
    match error:
        case PoolerError():
            return (
                f"{said}: set {variable('database_pooler')} for consumers, and give the relay PostgreSQL's own"
                f" address by {variable('database_direct_url')}"
            )
        case ssl.SSLCertVerificationError() if "mismatch" in str(error):
            return f"the server's certificate is made out to another name ({error.verify_message})"
        case ssl.SSLCertVerificationError():
            return (
                f"the server's certificate is not trusted ({error.verify_message}; {variable('database_ssl_ca_file')})"
            )
        case ssl.SSLError():
            return (
                f"TLS does not come about ({said}; {variable('database_ssl_mode')},"
                f" {variable('database_ssl_certificate_file')})"
            )
        case ConnectionError() if "rejected SSL upgrade" in said:
            return f"the server has no TLS ({variable('database_ssl_mode')})"
        case _ if "unsupported startup parameter" in said:
            return f"a pooler refuses our timeouts ({said}): set {variable('database_pooler')}"
        case _ if (sqlstate(error) or "").startswith(_REFUSED_STATES):
            return f"{said} ({variable('database_url')}, {variable('database_ssl_mode')})"
        case _:
            return None
