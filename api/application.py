"""The application: routes, and what is answered where they fail."""

import logging
from http import HTTPStatus
from typing import Any, Final

from asyncpg import InterfaceError, PostgresError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from starlette.exceptions import HTTPException

from api import commands, synchronous, users
from api.body_limit import BodyLimit
from api.outcomes import Outcomes
from api.problems import (
    Problem,
    ShownProblem,
    answer_fault,
    answer_invalid,
    answer_problem,
    respond,
    told,
    unavailable,
)
from api.writing import UndecidedError, Writing
from db.errors import Failure, classify, sqlstate
from db.pooling import PoolerError

logger = logging.getLogger("squad.api")

_OF_THE_DATABASE: Final = (SQLAlchemyError, PostgresError, InterfaceError, OSError)

_ALWAYS: Final = told(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.INTERNAL_SERVER_ERROR)


def build_application(
    *, writing: Writing, outcomes: Outcomes, retry_after_seconds: int, body_max_bytes: int
) -> FastAPI:
    """Build the application around parts that run elsewhere; `db.sessions` must be bound while it serves.

    Args:
        writing: sends commands.
        outcomes: knows what became of them.
        retry_after_seconds: what clients are told to wait before they ask again.
        body_max_bytes: of a request's body.
    """
    application = build_routes()
    application.state.writing = writing
    application.state.outcomes = outcomes
    application.state.retry_after_seconds = retry_after_seconds
    application.add_middleware(BodyLimit, max_bytes=body_max_bytes)
    return application


def build_routes() -> FastAPI:
    """Build what the OpenAPI document describes. Its pages for browsers stay off: they load programs from elsewhere."""
    application = _Documented(title="Agent Squad", version="1", docs_url=None, redoc_url=None, responses=_ALWAYS)
    for router in (users.router, commands.router, synchronous.router):
        application.include_router(router)
    application.add_exception_handler(HTTPException, answer_problem)
    application.add_exception_handler(RequestValidationError, answer_invalid)
    application.add_exception_handler(UndecidedError, commands.answer_undecided)
    application.add_exception_handler(Exception, answer_fault)
    application.add_exception_handler(PoolerError, answer_pooler)
    for error in _OF_THE_DATABASE:
        application.add_exception_handler(error, answer_database_error)
    return application


async def answer_database_error(request: Request, error: Exception) -> Response:
    """Answer where PostgreSQL is away; anything else of its errors is a fault of ours."""
    if _is_away(error):
        logger.warning("the database is away error=%r", error)
        return respond(unavailable("PostgreSQL is away", retry_after_seconds=request.app.state.retry_after_seconds))
    logger.error("a request failed", exc_info=error)
    return await answer_fault(request, error)


async def answer_pooler(_: Request, error: Exception) -> Response:
    """Answer where a session cannot be had behind a pooler."""
    return respond(Problem(HTTPStatus.NOT_IMPLEMENTED, str(error)))


def _is_away(error: Exception) -> bool:
    # The synchronous driver has no state for a connection that does not come about.
    no_connection = isinstance(error, OperationalError) and sqlstate(error) is None
    return no_connection or classify(error) is Failure.TRANSIENT


class _Documented(FastAPI):
    """Describes problems too, which no route returns as its model."""

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document."""
        document = super().openapi()
        document["components"]["schemas"].setdefault(ShownProblem.__name__, ShownProblem.model_json_schema())
        return document
