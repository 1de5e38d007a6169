"""The guide's router of users: paths, bodies and texts are its own."""

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api.bodies import NewName, NewUser, Said, ShownUser, Undecided
from api.needs import NeedsAsked, NeedsReadSession, NeedsSession, NeedsUserId, NeedsWriting
from api.problems import told, user_not_found
from db.queries import users
from domain.commands import DeleteUser, RegisterUser, RenameUser
from domain.values import PlanTier
from messages.ids import CommandIds

router = APIRouter(prefix="/users", tags=["users"])

_WRITES: Final[dict[int | str, dict[str, Any]]] = {
    HTTPStatus.ACCEPTED.value: {"model": Undecided, "description": "Sent; Location says where its outcome will be."},
    **told(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
}
_CHANGES: Final = _WRITES | told(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@router.post("", status_code=HTTPStatus.CREATED, responses=_WRITES | told(HTTPStatus.CONFLICT))
@router.post("/", status_code=HTTPStatus.CREATED, include_in_schema=False)
async def create_user(new: NewUser, asked: NeedsAsked, writing: NeedsWriting, response: Response) -> ShownUser:
    """Register a user; nobody else may have the e-mail."""
    # Derived, so that a retry asks for the same user.
    user_id = CommandIds(writing.source, asked.id).new("user", 0)
    created_at = await writing.apply(RegisterUser(user_id=user_id, email=new.email, name=new.name), asked)
    response.headers["Location"] = f"/users/{user_id}"
    # As they were registered: whatever happened since, a retry gets the same answer.
    return ShownUser(
        id=UUID(user_id),
        email=new.email,
        name=new.name,
        is_active=True,
        email_verified=False,
        plan_tier=PlanTier.FREE,
        created_at=created_at,
    )


@router.get("/{user_id}", responses=told(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE))
async def get_user(user_id: NeedsUserId, session: NeedsReadSession) -> ShownUser:
    """Show a user; where there is a replica it is read, so a change may show a moment later."""
    return await _show(session, user_id)


@router.patch("/{user_id}", responses=_CHANGES)
async def rename_user(
    user_id: NeedsUserId, new: NewName, asked: NeedsAsked, writing: NeedsWriting, session: NeedsSession
) -> ShownUser:
    """Give an active user another name."""
    await writing.apply(RenameUser(user_id=user_id, name=new.name), asked)
    return await _show(session, user_id)


@router.delete("/{user_id}", responses=_CHANGES)
async def delete_user(user_id: NeedsUserId, asked: NeedsAsked, writing: NeedsWriting) -> Said:
    """Erase a user for good; they must not own a squad that is not disbanded."""
    await writing.apply(DeleteUser(user_id=user_id), asked)
    return Said(message="User deleted")


async def _show(session: AsyncSession, user_id: str) -> ShownUser:
    user = await users.get_user(session, UUID(user_id))
    if user is None:
        raise user_not_found()
    return ShownUser.model_validate(user, from_attributes=True)
