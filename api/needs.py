"""What routes need: sessions, the writing, who is asked about, which command this is."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, cast

from fastapi import Depends, Header, Path, Request
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from api.asked import Asked, KeyFormError, ask_again, ask_anew
from api.outcomes import Outcomes
from api.problems import Problem, user_not_found
from api.writing import Writing
from db.sessions import get_db, get_read_db, get_sync_db
from domain.values import UserId, is_id


def get_writing(request: Request) -> Writing:
    """Give what sends commands."""
    return cast("Writing", request.app.state.writing)


def get_outcomes(request: Request) -> Outcomes:
    """Give what knows outcomes."""
    return cast("Outcomes", request.app.state.outcomes)


def get_asked(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="A UUID version 7, the command's id: a retry with the same one has its effect once.",
        ),
    ] = None,
) -> Asked:
    """Give the identity of the command that this request asks for."""
    if key is None:
        return ask_anew(datetime.now(UTC))
    try:
        return ask_again(key)
    except KeyFormError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error)) from None


def get_user_id(user_id: Annotated[str, Path(description="A UUID; anything else is nobody's.")]) -> UserId:
    """Give the user's id in its canonical form; a malformed one is as good as an absent one."""
    if not is_id(user_id.lower()):
        raise user_not_found()
    return user_id.lower()


NeedsWriting = Annotated[Writing, Depends(get_writing)]
NeedsOutcomes = Annotated[Outcomes, Depends(get_outcomes)]
NeedsAsked = Annotated[Asked, Depends(get_asked)]
NeedsUserId = Annotated[UserId, Depends(get_user_id)]
NeedsSession = Annotated[AsyncSession, Depends(get_db)]
NeedsReadSession = Annotated[AsyncSession, Depends(get_read_db)]
NeedsSyncSession = Annotated[Session, Depends(get_sync_db)]
