"""Asking a process on this host, by HTTP, whether it lives."""

import json
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.request import urlopen

from app.settings import Settings, SettingsError, variable

_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - of whoever is asked
_ANSWER_SECONDS: Final = 5


def why_ill(settings: Settings) -> str | None:
    """Say why the process that these settings are of is not well; `None`: it lives.

    Raises:
        SettingsError: they do not say where it answers.
    """
    if not settings.monitoring_port:
        raise SettingsError(f"{variable('monitoring_port')}: is where the process is asked, so it must be set")
    host = _ANY.get(settings.monitoring_address, settings.monitoring_address)
    address = f"http://{f'[{host}]' if ':' in host else host}:{settings.monitoring_port}/healthz"
    try:
        with urlopen(address, timeout=_ANSWER_SECONDS) as answer:
            return None if "alive" in json.load(answer) else f"{address} is somebody else's"
    except HTTPError as error:
        with error:
            return error.read().decode(errors="replace").strip()
    except (OSError, HTTPException, ValueError) as error:
        return f"{address} does not answer: {getattr(error, 'reason', error)}"
