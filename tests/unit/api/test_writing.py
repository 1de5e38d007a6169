"""What is answered by outcomes and failures that a healthy service does not have: stubs stand for inbox and Kafka."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from api.application import build_application
from api.asked import Asked, ask_again, ask_anew
from api.outcomes import Outcomes
from api.sending import MaybeSentError
from api.writing import Patience, Writing
from consumers.inbox import Identity, Known
from db.database import Database
from domain.commands import DeleteUser
from messages.codec import hash_command
from messages.envelope import Envelope, microseconds
from messages.outcome import CommandOutcome, Outcome
from messages.registry import COMMAND_TYPES, OUTCOME
from tests.making import new_id
from tests.serving import problem

SOURCE = "/api"
NOWHERE = Database(url="postgresql+asyncpg://nobody@localhost:1/nothing")


class Sender:
    """Takes every command, or leaves it open whether it did."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    async def send(self, *_: object) -> None:
        if self._failure is not None:
            raise self._failure


class Decided(Outcomes):
    """Knows one outcome."""

    def __init__(self, known: Known | None = None) -> None:
        super().__init__(database=NOWHERE, poll_seconds=1)
        self._known = known

    async def wait(self, identity: Identity, seconds: float) -> Known | None:
        return self._known

    async def find(self, identities: object) -> tuple[dict[Identity, Known], int]:
        return {}, 0


def known(asked: Asked, command: DeleteUser, outcome: Outcome, code: str | None) -> Known:
    """What the inbox would have of a command."""
    type_name = COMMAND_TYPES[DeleteUser].name
    body = CommandOutcome(
        source=SOURCE, id=asked.id, type=type_name, outcome=outcome, code=code, detail="so it is", final=False
    )
    envelope = Envelope(asked.id, SOURCE, type_name, microseconds(asked.time), asked.id)
    return Known(
        key=command.user_id,
        correlation_id=asked.id,
        fingerprint=hash_command(envelope, command),
        outcome_revision=1,
        outcome_body=OUTCOME.encode(body),
        decided_microseconds=0,
        recorded_microseconds=0,
        reply_to=None,
    )


async def delete(user_id: str, asked: Asked, *, sender: Sender, outcomes: Outcomes) -> httpx.Response:
    """Ask for a deletion."""
    patience = Patience(wait_seconds=0, retry_after_seconds=7, age_limit_seconds=60, skew_seconds=60)
    application = build_application(
        writing=Writing(sender=sender, outcomes=outcomes, source=SOURCE, patience=patience),
        outcomes=outcomes,
        retry_after_seconds=7,
        body_max_bytes=1_000,
    )
    transport = httpx.ASGITransport(app=application, root_path="/behind")
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        return await client.delete(f"/users/{user_id}", headers={"Idempotency-Key": asked.id})


@pytest.mark.parametrize(
    ("outcome", "code", "status"),
    [
        (Outcome.APPLIED, None, 200),
        (Outcome.REJECTED, "user-not-found", 404),
        (Outcome.REJECTED, "same-name", 200),
        (Outcome.PARKED, None, 202),
        (Outcome.EXPIRED, "expired", 500),
        (Outcome.DEAD_LETTERED, "source-forbidden", 500),
        (Outcome.DEAD_LETTERED, "too-old", 400),
    ],
)
async def test_every_outcome_has_its_answer(outcome, code, status):
    asked, command = ask_again(ask_anew(datetime.now(UTC)).id), DeleteUser(user_id=new_id())

    answer = await delete(
        command.user_id, asked, sender=Sender(), outcomes=Decided(known(asked, command, outcome, code))
    )

    assert answer.status_code == status
    if status >= 400:
        assert (problem(answer)["code"], problem(answer)["command_id"]) == (code, asked.id)


async def test_without_an_outcome_it_is_said_where_to_look_and_when():
    asked = ask_again(ask_anew(datetime.now(UTC)).id)

    answer = await delete(new_id(), asked, sender=Sender(), outcomes=Decided())

    assert (answer.status_code, answer.headers["retry-after"]) == (202, "7")
    assert answer.headers["location"] == f"/behind/commands/{asked.id}"
    assert answer.json() == {"source": SOURCE, "id": asked.id, "outcome": None}


async def test_where_kafka_does_not_answer_nobody_knows_whether_it_was_sent():
    asked = ask_again(ask_anew(datetime.now(UTC)).id)

    answer = await delete(new_id(), asked, sender=Sender(MaybeSentError("no answer")), outcomes=Decided())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert json.loads(answer.content) == problem(answer) | {"sent": "unknown", "command_id": asked.id}
    assert answer.headers["location"].endswith(f"/commands/{asked.id}")
