"""Loading what a batch declared: one statement a kind, roots locked, users first, each kind in one sorted pass."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.driver import fetch_records
from db.forms import FEEDBACK, MEMBERS, PROJECTS, SQUADS, TASKS, USAGE, USERS, Form, Stored
from domain.reads import Reads
from domain.state import State, Usage, UsageKey
from domain.values import TaskId, email_key


def _lock_roots(form: Form[Any]) -> TextClause:
    """Build the statement that locks roots in the order of their ids, each in the mode that it needs.

    One statement, two lateral looks: a row to change is locked FOR NO KEY UPDATE, one to read FOR SHARE. A single mode
    for all made four consumers as slow as one or deadlock; two statements deadlock, because neither order is whole.
    """
    table = form.table.name
    return text(
        f"""
        SELECT {form.select_list("r", "w")}
        FROM (
            SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:writes AS boolean[])) AS y(id, to_change) ORDER BY id
        ) AS x
        LEFT JOIN LATERAL (SELECT * FROM {table} t WHERE t.id = x.id AND NOT x.to_change FOR SHARE) AS r ON true
        LEFT JOIN LATERAL (SELECT * FROM {table} t WHERE t.id = x.id AND x.to_change FOR NO KEY UPDATE) AS w ON true
        """
    )


def _select(form: Form[Any]) -> TextClause:
    return text(f"SELECT {form.select_list('t')} FROM {form.table.name} t WHERE t.id = ANY(CAST(:ids AS uuid[]))")


LOCK_USERS: Final = _lock_roots(USERS)
LOCK_SQUADS: Final = _lock_roots(SQUADS)
SELECT_MEMBERS: Final = _select(MEMBERS)
SELECT_PROJECTS: Final = _select(PROJECTS)
SELECT_TASKS: Final = _select(TASKS)
SELECT_FEEDBACK: Final = _select(FEEDBACK)
# LIMIT 1 keeps each look-up an index scan, whatever the planner believes about the size of the arrays or the table.
SELECT_USAGE: Final = text(
    f"""
    SELECT {USAGE.select_list("t")}
    FROM unnest(CAST(:squads AS uuid[]), CAST(:metrics AS text[]), CAST(:periods AS date[]))
        AS x(squad_id, metric, period)
    CROSS JOIN LATERAL (
        SELECT * FROM usage_metrics u
        WHERE u.squad_id = x.squad_id AND u.metric = x.metric AND u.period = x.period
        LIMIT 1
    ) AS t
    """
)
# LIMIT 1 keeps each look-up an index scan, and ends it at the first squad.
SELECT_OWNERS: Final = text(
    """
    SELECT CAST(x.id AS text)
    FROM unnest(CAST(:ids AS uuid[])) AS x(id)
    CROSS JOIN LATERAL (
        SELECT FROM squads s
        WHERE s.user_id = x.id AND s.status = 'active' AND s.id <> ALL(CAST(:loaded AS uuid[]))
        LIMIT 1
    ) AS owned
    """
)
SELECT_EMAIL_KEYS: Final = text(
    "SELECT email_key, CAST(id AS text) FROM users WHERE email_key = ANY(CAST(:keys AS text[]))"
)


async def load_state(session: AsyncSession, reads: Reads) -> State:
    """Load what was declared, and lock all roots, before anything else of their streams.

    Args:
        session: in the batch's transaction.
        reads: what the commands of the batch declared.
    """
    users = await _locked(session, USERS, LOCK_USERS, reads.users)
    own_emails = (users[user_id].email for user_id in reads.emails_of if user_id in users)
    return State(
        users=users,
        squads=await _locked(session, SQUADS, LOCK_SQUADS, reads.squads),
        emails=await _email_keys(session, reads.emails.union(email_key(each) for each in own_emails if each)),
        owners_elsewhere=await _owners(session, reads),
        members=await _selected(session, MEMBERS, SELECT_MEMBERS, reads.members),
        projects=await _selected(session, PROJECTS, SELECT_PROJECTS, reads.projects),
        tasks=await _selected(session, TASKS, SELECT_TASKS, reads.tasks),
        feedback=await _selected(session, FEEDBACK, SELECT_FEEDBACK, reads.feedback),
        usage=await _usage(session, reads.usage),
    )


async def lock_roots(session: AsyncSession, reads: Reads) -> State:
    """Lock all roots that were declared, and make nothing of them: something about them may be at fault.

    Returns:
        A state with nothing in it.
    """
    for statement, wanted in ((LOCK_USERS, reads.users), (LOCK_SQUADS, reads.squads)):
        if wanted:
            await fetch_records(session, statement, {"ids": list(wanted), "writes": list(wanted.values())})
    return State()


async def load_tasks_again(session: AsyncSession, state: State, ids: Collection[TaskId]) -> None:
    """Replace tasks of a state by what a sweep made of their rows.

    Args:
        session: in the batch's transaction.
        state: the batch's.
        ids: which tasks; what was decided of them is written, for it is forgotten here.
    """
    state.tasks |= await _selected(session, TASKS, SELECT_TASKS, ids)


async def _locked(
    session: AsyncSession, form: Form[Stored], statement: TextClause, wanted: Mapping[str, bool]
) -> dict[str, Stored]:
    if not wanted:
        return {}
    rows = await fetch_records(session, statement, {"ids": list(wanted), "writes": list(wanted.values())})
    return {row[0]: form.build(row) for row in rows if row[0] is not None}


async def _selected(
    session: AsyncSession, form: Form[Stored], statement: TextClause, ids: Iterable[str]
) -> dict[str, Stored]:
    if not ids:
        return {}
    return {row[0]: form.build(row) for row in await fetch_records(session, statement, {"ids": list(ids)})}


async def _usage(session: AsyncSession, keys: Iterable[UsageKey]) -> dict[UsageKey, Usage]:
    if not keys:
        return {}
    squads, metrics, periods = map(list, zip(*keys, strict=True))
    asked = {"squads": squads, "metrics": metrics, "periods": periods}
    found = [USAGE.build(row) for row in await fetch_records(session, SELECT_USAGE, asked)]
    return {UsageKey(usage.squad_id, usage.metric, usage.period): usage for usage in found}


async def _owners(session: AsyncSession, reads: Reads) -> set[str]:
    """Give those of the owners asked for who own a squad that is not locked here: of these the state tells itself.

    Nobody of them comes to own another one meanwhile: that needs a look at them, and they are locked.
    """
    if not reads.owners:
        return set()
    asked = {"ids": list(reads.owners), "loaded": list(reads.squads)}
    return {row[0] for row in await fetch_records(session, SELECT_OWNERS, asked)}


async def _email_keys(session: AsyncSession, keys: Iterable[str]) -> dict[str, str]:
    if not keys:
        return {}
    return {row[0]: row[1] for row in await fetch_records(session, SELECT_EMAIL_KEYS, {"keys": list(keys)})}
