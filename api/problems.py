"""What went wrong, as `application/problem+json` (RFC 9457); nothing that a client sent is repeated."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.statuses import USER_NOT_FOUND

MEDIA_TYPE: Final = "application/problem+json"

MAX_FAULTS: Final = 20
"""How many faulty fields are named."""

_PHRASES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Where Python's depend on its version (RFC 9110, 15.5)."""

_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")

Sent = Literal["no", "unknown", "yes"]
"""What is known about whether a command was sent."""


class ShownProblem(BaseModel):
    """A problem, as it is shown."""

    title: str
    status: int
    detail: str
    code: str | None = Field(None, description="Why the command was refused, as in its outcome.")
    errors: dict[str, str] | None = Field(None, description="What is wrong, by field.")
    command_id: str | None = Field(
        None, description="Of the command; as Idempotency-Key it makes a retry the same one."
    )
    sent: Sent | None = Field(None, description="Whether the command was sent.")


class Problem(HTTPException):
    """A request that is not answered as asked.

    Args:
        status: of the response.
        detail: a sentence for people.
        headers: of the response.
        more: further members, as `ShownProblem` has them.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(status, detail, None if headers is None else dict(headers))
        self.more = more


def user_not_found() -> Problem:
    """Say it as the guide does."""
    return Problem(USER_NOT_FOUND.status, USER_NOT_FOUND.detail or "")


def unavailable(detail: str, *, retry_after_seconds: int, location: str | None = None, **more: object) -> Problem:
    """Say that something we need is away.

    Args:
        detail: what.
        retry_after_seconds: when to ask again.
        location: of the command, if it may have been sent.
        more: members of the problem.
    """
    headers = {"Retry-After": str(retry_after_seconds)}
    if location is not None:
        headers["Location"] = location
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers, **more)


def respond(problem: HTTPException) -> Response:
    """Give the response to a request that met a problem."""
    status = HTTPStatus(problem.status_code)
    body = {"title": _phrase(status), "status": status.value, "detail": problem.detail, **getattr(problem, "more", {})}
    return JSONResponse(body, status, headers=problem.headers, media_type=MEDIA_TYPE)


async def answer_problem(_: Request, problem: Exception) -> Response:
    """Answer what was raised as a problem, or by the framework."""
    assert isinstance(problem, HTTPException)  # noqa: S101 - registered for nothing else
    return respond(problem)


async def answer_invalid(_: Request, error: Exception) -> Response:
    """Answer a request whose content does not fit."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return respond(Problem(HTTPStatus.BAD_REQUEST, "The body is not JSON"))
    errors = {_name(fault["loc"]): str(fault["msg"]) for fault in faults[:MAX_FAULTS]}
    return respond(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The request does not fit", errors=errors))


async def answer_fault(_: Request, __: Exception) -> Response:
    """Answer where a fault of ours shows; the log has it."""
    return respond(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "A fault of ours; the log has it"))


def told(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Give what the OpenAPI document says of problems with these statuses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ShownProblem.__name__}"}}}
    return {status.value: {"description": _phrase(status), "content": content} for status in statuses}


def _phrase(status: HTTPStatus) -> str:
    return _PHRASES.get(status, status.phrase)


def _name(place: tuple[int | str, ...]) -> str:
    """Give a field's name by its place; an unknown one only if it looks like a name."""
    return ".".join(str(part) if _FIELD.fullmatch(str(part)) else "(no name)" for part in place[1:]) or "body"
