"""Building what applies commands, the first time and again."""

from app.settings import Settings, SettingsError, variable
from consumers.breaker import Breaker, BreakerLimits
from consumers.culprits import Policy
from consumers.decode import Decoder
from consumers.outgoing import Topics
from consumers.parking import ParkingLimits
from consumers.permissions import Permissions
from consumers.processor import Processor
from consumers.redrive import Redriver
from consumers.redrive_step import Step
from db.database import Database
from messages.codec import Limits
from messages.registry import COMMANDS


def build_processor(settings: Settings, database: Database, breaker: Breaker | None = None) -> Processor:
    """Build what applies batches; without a breaker, any number of dead letters is written."""
    return Processor(
        database=database,
        group=settings.consumer_group,
        topics=build_topics(settings),
        decoder=build_decoder(settings),
        parking=build_parking(settings),
        breaker=breaker,
    )


def build_parking(settings: Settings) -> ParkingLimits:
    """Say how many records may wait behind dead letters."""
    return ParkingLimits(of_stream=settings.parked_stream_max_commands, in_all=settings.parked_max_commands)


def build_redriver(settings: Settings, database: Database) -> Redriver:
    """Build what redrives dead letters; it takes two connections."""
    return Redriver(
        database=database,
        step=Step(decoder=build_decoder(settings), topics=build_topics(settings), max_bytes=settings.batch_max_bytes),
        max_records=settings.batch_max_commands,
        attempts=settings.failure_attempts,
        policies=build_policies(settings),
        patience_seconds=settings.redrive_patience_seconds,
        backoff_seconds=settings.backoff_first_seconds,
        backoff_most_seconds=settings.backoff_most_seconds,
    )


def build_decoder(settings: Settings) -> Decoder:
    """Build what reads commands from records."""
    limits = Limits(
        record_bytes=settings.record_max_bytes,
        headers=settings.record_max_headers,
        header_bytes=settings.record_max_header_bytes,
        json_depth=settings.record_max_json_depth,
        json_values=settings.record_max_json_values,
    )
    return Decoder(
        limits=limits,
        permissions=Permissions(sources=settings.command_sources, reply_topics=settings.reply_topics),
        age_limit_seconds=settings.command_age_limit_seconds,
        skew_seconds=settings.command_skew_seconds,
    )


def build_topics(settings: Settings) -> Topics:
    """Say where messages go, and as whom."""
    return Topics(
        events=settings.topic("events"),
        outcomes=settings.topic("outcomes"),
        dead_letters=settings.topic("dead-letters"),
        replies=frozenset(settings.reply_topics),
        source=settings.event_source,
        dead_letter_bytes=settings.dead_letter_max_bytes,
    )


def build_policies(settings: Settings) -> dict[str, Policy]:
    """Say what is done with commands that fail, by type.

    Raises:
        SettingsError: there is no such type.
    """
    unknown = settings.failure_policies.keys() - COMMANDS.keys()
    if unknown:
        raise SettingsError(f"{variable('failure_policies')}: no such commands: {', '.join(sorted(unknown))}")
    return {name: Policy(policy) for name, policy in settings.failure_policies.items()}


def build_breaker(settings: Settings) -> Breaker:
    """Build what stops a flood of dead letters."""
    return Breaker(
        limits=BreakerLimits(
            in_a_row=settings.breaker_consecutive_records,
            share=settings.breaker_share,
            among=settings.breaker_recent_records,
        ),
        overall=BreakerLimits(
            in_a_row=settings.breaker_overall_consecutive_records,
            share=settings.breaker_overall_share,
            among=settings.breaker_overall_recent_records,
        ),
    )
