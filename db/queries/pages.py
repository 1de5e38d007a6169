"""Pages of results: by number, as the guide returns them, and by key, which stay exact while rows are added."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

Item = TypeVar("Item")

MAX_PER_PAGE = 1_000
"""Of any page, and of any list that is not a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """One page.

    Args:
        items: in order.
        total: how many there are on all pages.
        page: its number, from 1.
        per_page: how many fit.
    """

    items: Sequence[Item]
    total: int
    page: int
    per_page: int

    @property
    def pages(self) -> int:
        """How many pages there are, rounded up."""
        return -(-self.total // self.per_page)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPage(Generic[Item]):
    """One page of those that are fetched one after another.

    Args:
        items: in order.
        next: what to give as `after` for the page that follows; `None`: this is the last one.
    """

    items: Sequence[Item]
    next: UUID | None


class UnknownPlaceError(ValueError):
    """A page is to follow a row that is not there, or has nothing any more to be ordered by: begin anew."""

    def __init__(self, after: UUID) -> None:
        super().__init__(f"there is nothing to go on after {after}: begin with the first page")


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


IdentifiedItem = TypeVar("IdentifiedItem", bound=_Identified)


def cut(found: Sequence[IdentifiedItem], per_page: int) -> KeyPage[IdentifiedItem]:
    """Make a page of what was fetched: one more than fits, if there are so many, which tells that another follows."""
    items = found[:per_page]
    return KeyPage(items=items, next=items[-1].id if len(found) > per_page else None)


def check_page(page: int) -> None:
    """Refuse the number of a page that cannot be.

    Raises:
        ValueError: it is less than 1.
    """
    if page < 1:
        raise ValueError(f"page must be at least 1, not {page}")


def check_per_page(per_page: int, name: str = "per_page") -> None:
    """Refuse a size that no page has.

    Args:
        per_page: the size.
        name: what the caller calls it.

    Raises:
        ValueError: it is not from 1 to `MAX_PER_PAGE`.
    """
    if not 1 <= per_page <= MAX_PER_PAGE:
        raise ValueError(f"{name} must be from 1 to {MAX_PER_PAGE}, not {per_page}")
