"""Which users a read is about, and in which order they come."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, UnaryExpression, and_, false, func, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from db.models import User
from domain.values import PlanTier, is_storable

UserOrder = Literal["newest", "oldest", "name"]
"""The orders that there are: by the time of registration, or by name in any case."""

NAME: Final = func.lower(User.name).collate("C")
"""What users are searched and ordered by; the same expression as that of the index `ix_users_name`."""

_LAST: Final = "\U0010ffff"
"""Comes after every character that a name can go on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which users; of what is said, all must hold.

    Args:
        is_active: only those who are, or are not, active.
        email_verified: only those whose e-mail is, or is not, verified.
        plan_tiers: only those of any of these tiers; none: of all.
        name: only those whose name begins so, in upper or lower case.
    """

    is_active: bool | None = None
    email_verified: bool | None = None
    plan_tiers: Collection[PlanTier] = ()
    name: str | None = None

    def conditions(self) -> Sequence[ColumnElement[bool]]:
        """Give what the rows must fulfil; whoever was erased never does."""
        found: list[ColumnElement[bool]] = [User.erased_at.is_(None)]
        if self.is_active is not None:
            found.append(User.is_active.is_(self.is_active))
        if self.email_verified is not None:
            found.append(User.email_verified.is_(self.email_verified))
        if self.plan_tiers:
            found.append(User.plan_tier.in_([PlanTier(tier) for tier in self.plan_tiers]))
        if self.name:
            found.append(_begins_with(self.name))
        return found


EVERYBODY: Final = UserFilter()


def key_of(order: UserOrder) -> ColumnElement[Any]:
    """Give what users are ordered by.

    Raises:
        ValueError: there is no such order.
    """
    match order:
        case "newest" | "oldest":
            return User.created_at.expression
        case "name":
            return NAME
        case _:
            raise ValueError(f"order must be one of {', '.join(get_args(UserOrder))}, not {order!r}")


def arrange(
    order: UserOrder, key: ColumnElement[Any], user_id: ColumnElement[UUID] | InstrumentedAttribute[UUID]
) -> Sequence[UnaryExpression[Any]]:
    """Say how to sort, given where the key and the id are to be had; the id settles what is equal."""
    if order == "newest":
        return (key.desc(), user_id.desc())
    return (key.asc(), user_id.asc())


def beyond(order: UserOrder, key: object, user_id: UUID) -> ColumnElement[bool]:
    """Give what those fulfil who come after a user of this key and id."""
    row, here = tuple_(key_of(order), User.id), tuple_(literal(key), literal(user_id))
    return row < here if order == "newest" else row > here


def _begins_with(name: str) -> ColumnElement[bool]:
    """As a range, not as LIKE: the server then finds the index also when it plans without knowing the name."""
    if not is_storable(name):
        return false()
    begin = func.lower(name)
    return and_(begin <= NAME, begin.concat(_LAST) > NAME)
