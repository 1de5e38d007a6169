"""A page of results by number, as the guide returns it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


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
