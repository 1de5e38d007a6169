"""The guide's demonstration of a synchronous session: a plain function, which the framework runs in a thread."""

from http import HTTPStatus

from fastapi import APIRouter

from api.bodies import Counted
from api.needs import NeedsSyncSession
from api.problems import told
from db.queries.users import select_count

router = APIRouter(tags=["synchronous"])


@router.get("/sync-route", responses=told(HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.NOT_IMPLEMENTED))
def count_users(session: NeedsSyncSession) -> Counted:
    """Count the users."""
    return Counted(users=session.scalar(select_count()) or 0)
