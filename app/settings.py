"""Every limit and address, with its unit in its name: the only reader of the environment."""

import json
from collections.abc import Mapping
from typing import Final, Literal, get_args

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url

from app.options import database_rules, kafka_rules, limit_rules
from app.options.breaker import BreakerOptions
from app.options.consumer import ConsumerOptions
from app.options.contract import ContractOptions
from app.options.database import DatabaseOptions
from app.options.failing import FailingOptions
from app.options.http import HttpOptions
from app.options.kafka import KafkaOptions
from app.options.monitoring import MonitoringOptions
from app.options.names import PREFIX, variable
from app.options.patience import PatienceOptions
from app.options.process import ProcessOptions
from app.options.relay import RelayOptions
from app.options.upkeep import UpkeepOptions

__all__ = ["PREFIX", "Settings", "SettingsError", "as_text", "masked", "origin", "variable"]

MASK = "***"
"""What is shown of a secret."""

TopicName = Literal["commands", "events", "outcomes", "dead-letters"]
TOPICS: Final[tuple[TopicName, ...]] = get_args(TopicName)
"""The service's own topics, without their prefix."""

JOIN_SPARE_SECONDS = 5
"""By how much a request must outlast a rebalance, so that joining the group does not run into its own time limit."""

DEAD_LETTER_EXTRA_BYTES = 16_384
"""What the key and the headers that say why can add to a published dead letter."""


class SettingsError(Exception):
    """A setting is missing or malformed; the message names each and what is wrong."""


class Settings(
    PatienceOptions,
    MonitoringOptions,
    ProcessOptions,
    UpkeepOptions,
    RelayOptions,
    BreakerOptions,
    ConsumerOptions,
    FailingOptions,
    ContractOptions,
    HttpOptions,
    KafkaOptions,
    DatabaseOptions,
    BaseSettings,
):
    """What an operator can set; each field is the environment variable `SQUAD_` + its name in upper case."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def load(cls) -> "Settings":
        """Read the environment.

        Raises:
            SettingsError: naming each variable that does not fit, without its value.
        """
        try:
            settings = cls()
        except ValidationError as error:
            faults = (f"{variable(str(each['loc'][0]))}: {each['msg']}" for each in error.errors() if each["loc"])
            raise SettingsError("; ".join(faults) or str(error)) from None
        settings.check()
        return settings

    def check(self) -> None:
        """See that settings fit each other.

        Raises:
            SettingsError: a rule between two settings is broken.
        """
        faults = [*database_rules.faults(self), *kafka_rules.faults(self), *limit_rules.faults(self)]
        if faults:
            raise SettingsError("; ".join(faults))
        if self.heartbeat_seconds > self.session_seconds / 3:
            raise SettingsError(
                f"{variable('heartbeat_seconds')}: must be at most a third of {variable('session_seconds')}"
            )
        if self.request_seconds <= self.rebalance_seconds + JOIN_SPARE_SECONDS:
            raise SettingsError(
                f"{variable('request_seconds')}: must be more than {variable('rebalance_seconds')} +"
                f" {JOIN_SPARE_SECONDS}: joining the group waits for its slowest member"
            )
        if self.lease_renew_seconds > self.lease_seconds / 2:
            raise SettingsError(
                f"{variable('lease_renew_seconds')}: must be at most half of {variable('lease_seconds')}"
            )
        if self.dead_letter_max_bytes + DEAD_LETTER_EXTRA_BYTES > self.relay_batch_max_bytes:
            raise SettingsError(
                f"{variable('dead_letter_max_bytes')}: must leave {DEAD_LETTER_EXTRA_BYTES} bytes of"
                f" {variable('relay_batch_max_bytes')}, for the headers that say why"
            )
        if self.database_pool_size < self.lanes + 2:
            raise SettingsError(f"{variable('database_pool_size')}: must be at least {variable('lanes')} + 2")
        own = {self.topic(name) for name in TOPICS}
        if not own.isdisjoint(self.reply_topics):
            raise SettingsError(f"{variable('reply_topics')}: the service's own topics are none to reply to")

    def topic(self, name: TopicName) -> str:
        """Give a topic's full name."""
        return self.topic_prefix + name


def masked(field: str, value: object) -> str:
    """Give a setting as it may be shown: secrets as `***`, a URL without its password, what is absent as nothing."""
    if isinstance(value, SecretStr):
        return MASK
    if field in {"database_url", "database_direct_url", "database_replica_url"} and value is not None:
        return make_url(str(value)).render_as_string(hide_password=True)
    return as_text(value)


def as_text(value: object) -> str:
    """Give a setting as the environment has it, secrets in the clear: for the environment of a process of ours."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def origin(settings: Settings, field: str) -> str:
    """Say where a setting's value came from."""
    return f"environment {variable(field)}" if field in settings.model_fields_set else "default"
