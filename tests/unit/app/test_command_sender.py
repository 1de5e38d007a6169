"""What is known of a command whose acknowledgement does not come: a stub stands for a client whose broker is silent."""

import asyncio

import pytest

from api.sending import MaybeSentError, NotSentError
from app.broker import KafkaError
from app.command_sender import CommandSender

SEND: tuple[bytes, bytes, list[tuple[str, bytes]]] = (b"key", b"value", [])


class MessageSizeTooLargeError(KafkaError):  # type: ignore[misc] # the client library is untyped
    """A refusal, by the name that the client library gives it."""


class Client:
    """Takes a record into a batch, or not, and answers, or not."""

    def __init__(self, answer: BaseException | str | None = None, *, takes: bool = True) -> None:
        self._answer = answer
        self._takes = takes

    async def send(self, *_: object, **__: object) -> asyncio.Future[object]:
        if not self._takes:
            await asyncio.Event().wait()
        delivery: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if isinstance(self._answer, BaseException):
            delivery.set_exception(self._answer)
        elif self._answer is not None:
            delivery.set_result(self._answer)
        return delivery


def sender(client: Client | None) -> CommandSender:
    """A sender over a client that is connected."""
    built = CommandSender(topic="commands", client={}, timeout_seconds=0.05)
    built._producer = client
    built._tried.set()
    return built


async def test_acknowledged_is_sent():
    await sender(Client("place")).send(*SEND)


@pytest.mark.parametrize(
    "client", [None, Client(takes=False), Client(MessageSizeTooLargeError())], ids=["none", "full", "refused"]
)
async def test_what_never_left_was_not_sent(client):
    with pytest.raises(NotSentError):
        await sender(client).send(*SEND)


@pytest.mark.parametrize("client", [Client(), Client(KafkaError())], ids=["silent", "failed"])
async def test_what_left_and_was_not_acknowledged_may_have_been_sent(client):
    with pytest.raises(MaybeSentError):
        await sender(client).send(*SEND)
