"""What an outcome is in HTTP: one table for the codes of rejections, one for the reasons of dead letters."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from domain.rejections import Code
from messages.refusals import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a request whose command was refused is answered.

    Args:
        status: of the response; OK: what was asked for is so already.
        detail: in place of the outcome's, where the guide has a text.
    """

    status: HTTPStatus
    detail: str | None = None


USER_NOT_FOUND: Final = Answer(status=HTTPStatus.NOT_FOUND, detail="User not found")

OF_CODES: Final[Mapping[Code, Answer]] = {
    Code.EMAIL_TAKEN: Answer(status=HTTPStatus.BAD_REQUEST, detail="Email already exists"),
    Code.USER_NOT_FOUND: USER_NOT_FOUND,
    Code.SAME_NAME: Answer(status=HTTPStatus.OK),
    Code.USER_EXISTS: Answer(status=HTTPStatus.CONFLICT),
    Code.USER_ERASED: Answer(status=HTTPStatus.CONFLICT),
    Code.USER_INACTIVE: Answer(status=HTTPStatus.CONFLICT),
    Code.USER_OWNS_SQUADS: Answer(status=HTTPStatus.CONFLICT),
}
"""Every code that the commands of the API can be rejected with."""

OF_REASONS: Final[Mapping[Reason, Answer]] = {
    Reason.ID_CONFLICT: Answer(status=HTTPStatus.UNPROCESSABLE_ENTITY),
    Reason.TOO_OLD: Answer(status=HTTPStatus.BAD_REQUEST),
    Reason.FROM_THE_FUTURE: Answer(status=HTTPStatus.BAD_REQUEST),
}
"""Reasons that a client can do something about."""

FOR_THE_OPERATOR: Final = Answer(status=HTTPStatus.INTERNAL_SERVER_ERROR)
"""All others: the command is sound, so consumers are set otherwise than this API, or older."""


def answer_for(code: str | None) -> Answer:
    """Give how a refused command is answered, by the code of its outcome."""
    known = {str(name): answer for name, answer in (*OF_CODES.items(), *OF_REASONS.items())}
    return known.get(code or "", FOR_THE_OPERATOR)
