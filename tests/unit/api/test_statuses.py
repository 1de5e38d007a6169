"""Every way in which the API's commands can end has its status, and the OpenAPI document tells it."""

import json
from http import HTTPStatus

import pytest

from api import openapi, statuses
from api.statuses import FOR_THE_OPERATOR, OF_CODES, answer_for
from docs.parts.causes import causes_of
from domain.commands import DeleteUser, RegisterUser, RenameUser
from domain.rejections import Code
from domain.tables import RULES
from messages.refusals import Reason

SENT = (RegisterUser, RenameUser, DeleteUser)
DOCUMENT = json.loads(openapi.PUBLISHED.read_text())


def test_every_code_that_the_commands_can_end_with_has_a_status() -> None:
    assert set(OF_CODES) == {code for command in SENT for code in causes_of(RULES[command]).codes}


def test_texts_are_those_of_the_guide() -> None:
    taken, absent = answer_for(Code.EMAIL_TAKEN), answer_for(Code.USER_NOT_FOUND)

    assert (taken.status, taken.detail) == (400, "Email already exists")
    assert (absent.status, absent.detail) == (404, "User not found")


@pytest.mark.parametrize("reason", Reason)
def test_dead_letters_are_never_a_success(reason: Reason) -> None:
    assert answer_for(reason).status >= 400


def test_what_nobody_foresaw_is_the_operators() -> None:
    assert answer_for("unheard-of") is answer_for(None) is FOR_THE_OPERATOR


def test_published_document_is_current() -> None:
    assert openapi.PUBLISHED.read_text() == openapi.build(), "run `python -m api.openapi`"


def test_document_tells_every_status_of_a_refusal() -> None:
    told = {
        int(status)
        for path in ("/users", "/users/{user_id}")
        for method in DOCUMENT["paths"][path].values()
        for status in method["responses"]
    }
    refusals = [*OF_CODES.values(), *statuses.OF_REASONS.values(), FOR_THE_OPERATOR]

    assert {answer.status for answer in refusals} <= told
    assert {HTTPStatus.ACCEPTED, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE} <= told


def test_document_has_the_guides_router_and_knows_every_schema_that_it_names() -> None:
    users = {
        (method, path)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if operation["tags"] == ["users"]
    }
    named = {part.split('"')[0] for part in json.dumps(DOCUMENT).split("#/components/schemas/")[1:]}

    assert users == {("post", "/users")} | {(each, "/users/{user_id}") for each in ("get", "patch", "delete")}
    assert named <= set(DOCUMENT["components"]["schemas"])
    assert "password" not in json.dumps(DOCUMENT)
