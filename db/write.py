"""Writing what a batch changed: one INSERT and one UPDATE a table, parents first; nothing is upserted or deleted.

Adding and updating differ on purpose: upserts of domain state lost writes in 296 of 300 races.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.forms import FEEDBACK, MEMBERS, PROJECTS, SQUADS, TASKS, USAGE, USERS, Form
from domain import state
from domain.state import State


class LostRowError(RuntimeError):
    """A row that was loaded and locked is not there any more, though nothing deletes rows."""


def _by_id(stored: state.Row) -> object:
    return stored.id


def _by_email(user: state.User) -> object:
    """What rivals collide on: sorted by id, 9 of 10 races for two e-mails deadlocked."""
    return (user.email_key or "", user.id)


FREE_EMAIL_KEYS: Final = text("UPDATE users SET email_key = NULL WHERE id = ANY(CAST(:ids AS uuid[]))")

_EMAIL_KEY: Final = [column.name for column in USERS.columns].index("email_key")

_IN_ORDER: Final[tuple[tuple[Form[Any], Callable[[State], Iterable[Any]], Callable[[Any], Any]], ...]] = (
    (USERS, lambda state: state.users.values(), _by_email),
    (SQUADS, lambda state: state.squads.values(), _by_id),
    (MEMBERS, lambda state: state.members.values(), _by_id),
    (PROJECTS, lambda state: state.projects.values(), _by_id),
    (TASKS, lambda state: state.tasks.values(), _by_id),
    (FEEDBACK, lambda state: state.feedback.values(), _by_id),
    (USAGE, lambda state: state.usage.values(), _by_id),
)
"""The tables, parents first; where their objects stand in a `State`; in which order they are written."""


async def write_state(session: AsyncSession, state: State) -> None:
    """Store what is new and what differs from the rows it was loaded with; after it, nothing does.

    Args:
        session: in the batch's transaction, with all roots locked.
        state: as the handlers left it.

    Raises:
        LostRowError: a loaded row vanished.
        sqlalchemy.exc.IntegrityError: a rival was faster.
    """
    await _free_email_keys(session, state)
    for form, objects, order in _IN_ORDER:
        new, changed = [], []
        for stored in objects(state):
            if stored.loaded is None:
                new.append(stored)
            elif form.values(stored) != stored.loaded:
                changed.append(stored)
        new.sort(key=order)
        await form.rows.insert(session, [_stored(form, each) for each in new])
        changed.sort(key=order)
        updated = await form.rows.update(session, [_stored(form, each) for each in changed])
        if updated != len(changed):
            raise LostRowError(f"{updated} of {len(changed)} rows of {form.table.name} updated")


def _stored(form: Form[Any], written: state.Row) -> tuple[Any, ...]:
    values = form.values(written)
    written.loaded = values
    return values


async def _free_email_keys(session: AsyncSession, state: State) -> None:
    """Take their e-mails from users who gave them up, where another user of the batch has them now.

    The index is asked for each row as it is written, and so must not meet the new one before the old one is gone.
    """
    given_up = {
        user.loaded[_EMAIL_KEY]: user.id
        for user in state.users.values()
        if user.loaded is not None and user.loaded[_EMAIL_KEY] not in (None, user.email_key)
    }
    if given_up:
        taken = given_up.keys() & {user.email_key for user in state.users.values()}
        if taken:
            await session.execute(FREE_EMAIL_KEYS, {"ids": sorted(given_up[key] for key in taken)})
