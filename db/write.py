"""Writing what a batch changed: one INSERT and one UPDATE a table, parents first; nothing is upserted or deleted.

Adding and updating differ on purpose: upserts of domain state lost writes in 296 of 300 races.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from db.forms import MEMBERS, PROJECTS, SQUADS, TASKS, USERS, Form
from domain import state
from domain.state import State


class LostRowError(RuntimeError):
    """A row that was loaded and locked is not there any more, though nothing deletes rows."""


def _by_id(stored: state.Row) -> object:
    return stored.id


def _by_email(user: state.User) -> object:
    """What rivals collide on: sorted by id, 9 of 10 races for two e-mails deadlocked."""
    return (user.email_key or "", user.id)


_IN_ORDER: Final[tuple[tuple[Form[Any], Callable[[State], Iterable[Any]], Callable[[Any], Any]], ...]] = (
    (USERS, lambda state: state.users.values(), _by_email),
    (SQUADS, lambda state: state.squads.values(), _by_id),
    (MEMBERS, lambda state: state.members.values(), _by_id),
    (PROJECTS, lambda state: state.projects.values(), _by_id),
    (TASKS, lambda state: state.tasks.values(), _by_id),
)
"""The tables, parents first; where their objects stand in a `State`; in which order new ones are added."""


async def write_state(session: AsyncSession, state: State) -> None:
    """Store what is new and what differs from the rows it was loaded with; after it, nothing does.

    Args:
        session: in the batch's transaction, with all roots locked.
        state: as the handlers left it.

    Raises:
        LostRowError: a loaded row vanished.
        sqlalchemy.exc.IntegrityError: a rival was faster.
    """
    for form, objects, order in _IN_ORDER:
        new, changed = [], []
        for stored in objects(state):
            if stored.loaded is None:
                new.append(stored)
            elif (values := form.values(stored)) != stored.loaded:
                changed.append(values)
                stored.loaded = values
        new.sort(key=order)
        await form.rows.insert(session, [_stored(form, stored) for stored in new])
        updated = await form.rows.update(session, changed)
        if updated != len(changed):
            raise LostRowError(f"{updated} of {len(changed)} rows of {form.table.name} updated")


def _stored(form: Form[Any], new: state.Row) -> tuple[Any, ...]:
    values = form.values(new)
    new.loaded = values
    return values
