"""What became of a command, for those who were told to ask later, and for whoever knows its id."""

import json
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from api.bodies import ShownOutcome, Undecided
from api.needs import NeedsOutcomes, NeedsWriting
from api.problems import Problem, told
from api.writing import UndecidedError, path_of
from consumers.inbox import Identity
from domain.values import is_storable
from messages.envelope import MAX_ATTRIBUTE_CHARACTERS
from messages.masking import read_masked
from messages.registry import OUTCOME

router = APIRouter(prefix="/commands", tags=["commands"])

_PENDING: Final[dict[int | str, dict[str, Any]]] = {
    HTTPStatus.ACCEPTED.value: {"model": Undecided, "description": "Not decided yet, or never sent."}
}


@router.get(
    "/{command_id:path}",
    response_model=ShownOutcome,
    responses={**_PENDING, **told(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)},
)
async def get_command(
    request: Request,
    command_id: Annotated[str, Path(description="Of the command.")],
    outcomes: NeedsOutcomes,
    writing: NeedsWriting,
    source: Annotated[str | None, Query(description="Of the command; empty: this API's own.")] = None,
) -> Response:
    """Show a command's outcome, once there is one."""
    identity = Identity(source or writing.source, command_id)
    if not all(is_storable(part) and len(part) <= MAX_ATTRIBUTE_CHARACTERS for part in identity):
        raise Problem(HTTPStatus.NOT_FOUND, "Command not found")
    found, _ = await outcomes.find([identity])
    if identity not in found:
        return respond_undecided(request, identity)
    return JSONResponse(read_masked(OUTCOME.name, found[identity].outcome_body))


async def answer_undecided(request: Request, error: Exception) -> Response:
    """Answer a write whose command was sent and is not decided."""
    assert isinstance(error, UndecidedError)  # noqa: S101 - registered for nothing else
    response = respond_undecided(request, Identity(request.app.state.writing.source, error.command_id))
    response.headers["Location"] = request.scope.get("root_path", "") + path_of(error.command_id)
    return response


def respond_undecided(request: Request, identity: Identity) -> Response:
    """Say that there is no outcome yet, and when to ask again."""
    shown = Undecided(source=identity.source, id=identity.command_id)
    headers = {"Retry-After": str(request.app.state.retry_after_seconds)}
    return JSONResponse(json.loads(shown.model_dump_json()), HTTPStatus.ACCEPTED, headers=headers)
