"""A write: its command is sent, and its outcome waited for."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from api.asked import Asked
from api.outcomes import Outcomes
from api.problems import Problem, Sent, unavailable
from api.sending import MaybeSentError, NotSentError, Sender
from api.statuses import answer_for
from consumers.inbox import Identity, Known
from db.errors import Failure, classify
from domain.commands import Command
from messages.codec import encode_command, hash_command
from messages.envelope import Envelope, microseconds
from messages.outcome import Outcome
from messages.registry import COMMAND_TYPES

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UndecidedError(Exception):
    """The command was sent, and its outcome has not come in time, or waits for an operator.

    Args:
        command_id: where to look for it.
    """

    def __init__(self, command_id: str) -> None:
        super().__init__(command_id)
        self.command_id = command_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited for what.

    Args:
        wait_seconds: for an outcome.
        retry_after_seconds: what clients are told to wait before they ask again.
        age_limit_seconds, skew_seconds: how far a command's time may be behind, or ahead.
    """

    wait_seconds: float
    retry_after_seconds: int
    age_limit_seconds: float
    skew_seconds: float


class Writing:
    """Sends commands and tells what became of them.

    Args:
        sender: carries them.
        outcomes: knows what became of them.
        source: in whose name they are sent.
        patience: how long is waited.
        clock: gives the time, UTC.
    """

    def __init__(
        self,
        *,
        sender: Sender,
        outcomes: Outcomes,
        source: str,
        patience: Patience,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sender = sender
        self._outcomes = outcomes
        self._patience = patience
        self._clock = clock
        self.source = source

    async def apply(self, command: Command, asked: Asked) -> datetime:
        """Have a command applied.

        Returns:
            When it was decided.

        Raises:
            Problem: it was refused, or cannot be sent.
            UndecidedError: there is no outcome yet.
        """
        identity = Identity(self.source, asked.id)
        known = await self._find_again(identity, asked) if asked.again else None
        if known is None:
            await self._send(command, asked)
            known = await self._outcomes.wait(identity, self._patience.wait_seconds)
        if known is None:
            raise self._undecided(asked)
        return self._judge(known, command, asked)

    async def _find_again(self, identity: Identity, asked: Asked) -> Known | None:
        """Look for what a client may have sent before; what would be refused for its age alone is not sent."""
        try:
            found, floor_microseconds = await self._outcomes.find([identity])
        except Exception as error:
            if classify(error) is not Failure.TRANSIENT:
                raise
            raise self._unavailable("PostgreSQL is away", asked, sent="no") from error
        if identity in found:
            return found[identity]
        age_seconds = (self._clock() - asked.time).total_seconds()
        if age_seconds > self._patience.age_limit_seconds or microseconds(asked.time) <= floor_microseconds:
            raise Problem(HTTPStatus.BAD_REQUEST, "Idempotency-Key is too old: take a new one")
        if age_seconds < -self._patience.skew_seconds:
            raise Problem(HTTPStatus.BAD_REQUEST, "Idempotency-Key is from the future")
        return None

    async def _send(self, command: Command, asked: Asked) -> None:
        key, value, headers = encode_command(command, command_id=asked.id, source=self.source, time=asked.time)
        try:
            await self._sender.send(key, value, headers)
        except NotSentError as error:
            raise self._unavailable(f"Kafka is away, the command was not sent: {error}", asked, sent="no") from error
        except MaybeSentError as error:
            detail = f"Kafka does not answer, the command may have been sent: {error}"
            raise self._unavailable(detail, asked, sent="unknown") from error

    def _undecided(self, asked: Asked) -> Problem | UndecidedError:
        if self._outcomes.failing:
            return self._unavailable("PostgreSQL is away; the command was sent and will be decided", asked, sent="yes")
        return UndecidedError(asked.id)

    def _unavailable(self, detail: str, asked: Asked, *, sent: Sent) -> Problem:
        return unavailable(
            detail,
            retry_after_seconds=self._patience.retry_after_seconds,
            location=None if sent == "no" else path_of(asked.id),
            command_id=asked.id,
            sent=sent,
        )

    def _judge(self, known: Known, command: Command, asked: Asked) -> datetime:
        if known.fingerprint != self._fingerprint(command, asked):
            detail = "Idempotency-Key was used for another request: take a new one"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, command_id=asked.id)
        outcome = json.loads(known.outcome_body)
        if outcome["outcome"] == Outcome.PARKED:
            raise UndecidedError(asked.id)
        if outcome["outcome"] != Outcome.APPLIED:
            answer = answer_for(outcome["code"])
            if answer.status is not HTTPStatus.OK:
                detail = answer.detail or outcome["detail"]
                raise Problem(answer.status, detail, code=outcome["code"], command_id=asked.id)
        return _EPOCH + timedelta(microseconds=known.decided_microseconds)

    def _fingerprint(self, command: Command, asked: Asked) -> bytes:
        type_name = COMMAND_TYPES[type(command)].name
        return hash_command(Envelope(asked.id, self.source, type_name, microseconds(asked.time), asked.id), command)


def path_of(command_id: str) -> str:
    """Give where a command of this API is looked up."""
    return f"/commands/{quote(command_id, safe='')}"
