"""Who may send what, and where outcomes may go."""

import pytest

from consumers.decode import Decoder
from consumers.permissions import Permissions
from messages.codec import Limits
from messages.refusals import Reason
from tests import making
from tests.making import new_id


def decode(
    permissions: Permissions, *, source: str = "/shop", reply_to: str | None = None, type_name: str | None = None
):
    extensions = {} if reply_to is None else {"replyto": reply_to}
    record = making.record(making.create_squad(new_id()), source=source, extensions=extensions)
    if type_name is not None:
        record.headers = [(name, type_name.encode() if name == "ce_type" else value) for name, value in record.headers]
    [incoming] = Decoder(limits=Limits(), permissions=permissions).decode([record])
    return incoming


def reason(permissions: Permissions, **changes: str) -> Reason | None:
    refusal = decode(permissions, **changes).refusal
    return None if refusal is None else refusal.reason


def test_without_bindings_any_source_sends_anything():
    assert reason(Permissions()) is None
    assert Permissions().is_open


def test_listed_sources_send_everything_and_others_nothing():
    permissions = Permissions(sources=["/shop", "/admin"])

    assert reason(permissions) is None
    assert reason(permissions, source="/shop/") is Reason.SOURCE_FORBIDDEN


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [
        (("squad.*",), True),
        (("user.*", "squad.create.v1"), True),
        (("*",), True),
        (("user.*",), False),
        (("squad.create",), False),
        (("squad.create.v2",), False),
    ],
)
def test_bound_source_sends_only_types_of_its_patterns(patterns, allowed):
    permissions = Permissions(sources={"/shop": patterns})

    for _ in range(2):
        incoming = decode(permissions)
        assert (incoming.refusal is None) is allowed
        if incoming.refusal is not None:
            assert incoming.refusal.reason is Reason.SOURCE_FORBIDDEN
            assert incoming.envelope is None, "whoever claims another's source is not answered in its name"
    assert reason(permissions, source="/other") is Reason.SOURCE_FORBIDDEN


def test_source_may_be_allowed_a_type_that_is_unknown():
    assert reason(Permissions(sources={"/shop": ["squad.*"]}), type_name="squad.nonsense.v1") is Reason.UNKNOWN_TYPE


def test_outcome_may_go_to_listed_topics_only():
    permissions = Permissions(reply_topics=["shop.outcomes"])

    assert decode(permissions, reply_to="shop.outcomes").envelope.reply_to == "shop.outcomes"
    for topic in ("squad.commands", "shop.outcomes ", "shop", "x" * 255):
        incoming = decode(permissions, reply_to=topic)
        assert incoming.refusal.reason is Reason.REPLY_FORBIDDEN
        assert incoming.envelope.reply_to is None
    assert reason(Permissions(), reply_to="shop.outcomes") is Reason.REPLY_FORBIDDEN
    assert reason(permissions, reply_to="") is Reason.UNREADABLE
