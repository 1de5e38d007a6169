"""The guide's reads of users, on a real database."""

from datetime import timedelta
from itertools import product
from typing import get_args
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db.queries.choosing_users import EVERYBODY, UserFilter, UserOrder
from db.queries.pages import UnknownPlaceError
from db.queries.users import (
    count_users,
    get_newest_user,
    get_user,
    get_user_by_email,
    get_users,
    get_users_after,
    get_users_paginated,
)
from domain.values import PlanTier
from tests import making
from tests.applying import Bench
from tests.making import NOON, new_id, record

INSERT = text(
    "INSERT INTO users"
    " (id, email, email_key, name, is_active, email_verified, plan_tier, created_at, erased_at, version)"
    " VALUES (:id, :email, :email, :name, :active, :verified, :tier, :at, :erased, 1)"
)
PEOPLE = (
    # name, active, verified, tier
    ("Ada Lovelace", True, True, "free"),
    ("adam Smith", True, False, "pro"),
    ("Bertha von Suttner", False, True, "enterprise"),
    ("Érik Satie", True, True, "enterprise"),
    ("Zoë", True, True, "pro"),
    ("%_", False, False, "free"),
)
ADA, ADAM, BERTHA, SATIE, ZOE, STRANGE = (name for name, *_ in PEOPLE)


@pytest.fixture
async def people(unsaved):
    """Six users, each registered a minute after the one before, and one who was erased."""
    for number, (name, active, verified, tier) in enumerate((*PEOPLE, (None, False, False, "pro"))):
        await unsaved.execute(
            INSERT,
            {
                "id": uuid4(),
                "email": name and f"{number}@example.org",
                "name": name,
                "active": active,
                "verified": verified,
                "tier": tier,
                "at": NOON + timedelta(minutes=number),
                "erased": None if name else NOON,
            },
        )
    return unsaved


def names(users) -> list[str]:
    return [user.name for user in users]


async def test_users_are_found_by_id_and_by_email_in_any_case(database, async_db):
    bench, user_id = Bench(database), new_id()
    await bench.apply(record(making.register_user(user_id, "Ada@Example.org")))

    by_id = await get_user(async_db, UUID(user_id))
    assert by_id is not None
    assert by_id.email == "Ada@Example.org"
    assert await get_user_by_email(async_db, "aDA@EXAMPLE.org") is by_id
    assert await get_user(async_db, UUID(new_id())) is None
    assert await get_user_by_email(async_db, "eve@example.org") is None
    assert await get_user_by_email(async_db, "ada\x00@example.org") is None
    assert await get_user_by_email(async_db, "ada\ud800@example.org") is None


FILTERS: tuple[tuple[UserFilter, set[str]], ...] = (
    (EVERYBODY, {ADA, ADAM, BERTHA, SATIE, ZOE, STRANGE}),
    (UserFilter(is_active=True, email_verified=True), {ADA, SATIE, ZOE}),
    (UserFilter(is_active=False), {BERTHA, STRANGE}),
    (UserFilter(email_verified=False), {ADAM, STRANGE}),
    (UserFilter(plan_tiers=(PlanTier.PRO, PlanTier.ENTERPRISE)), {ADAM, BERTHA, SATIE, ZOE}),
    (UserFilter(plan_tiers=(PlanTier.PRO,), email_verified=True), {ZOE}),
    (UserFilter(name="ADA"), {ADA, ADAM}),
    (UserFilter(name="ada l"), {ADA}),
    (UserFilter(name="éR"), {SATIE}),
    (UserFilter(name="%"), {STRANGE}),
    (UserFilter(name="love"), set()),
    (UserFilter(name="\x00"), set()),
    (UserFilter(name="\ud800"), set()),
)


async def test_filter_and_count_choose_the_same_and_never_who_was_erased(people):
    for where, found in FILTERS:
        assert set(names(await get_users(people, where))) == found, where
        assert await count_users(people, where) == len(found), where
        assert set(names((await get_users_paginated(people, where=where)).items)) == found, where


async def test_users_come_in_the_order_that_was_asked_for(people):
    assert names(await get_users(people)) == [STRANGE, ZOE, SATIE, BERTHA, ADAM, ADA]
    assert names(await get_users(people, order="oldest")) == [ADA, ADAM, BERTHA, SATIE, ZOE, STRANGE]
    assert names(await get_users(people, order="name")) == [STRANGE, ADA, ADAM, BERTHA, ZOE, SATIE]
    assert names(await get_users(people, limit=2)) == [STRANGE, ZOE]
    newest = await get_newest_user(people, UserFilter(is_active=True))
    assert newest is not None
    assert newest.name == ZOE
    assert await get_newest_user(people, UserFilter(name="nobody")) is None


async def test_pages_by_key_are_the_whole_list_in_pieces(people):
    for order, where in product(get_args(UserOrder), (EVERYBODY, UserFilter(is_active=True))):
        page = await get_users_after(people, None, 2, where=where, order=order)
        seen = names(page.items)
        while page.next is not None:
            page = await get_users_after(people, page.next, 2, where=where, order=order)
            seen.extend(names(page.items))

        assert seen == names(await get_users(people, where, order=order)), (order, where)


async def test_pages_by_key_go_on_where_they_were_though_users_come(people):
    first = await get_users_after(people, per_page=3)
    await people.execute(text("UPDATE users SET created_at = now() WHERE name = 'Ada Lovelace'"))

    second = await get_users_after(people, first.next, 3)

    assert (names(first.items), names(second.items)) == ([STRANGE, ZOE, SATIE], [BERTHA, ADAM])


async def test_pages_by_number_are_newest_first_and_cover_everything_once(database, async_db):
    bench = Bench(database)
    await bench.apply(*(record(making.register_user()) for _ in range(45)))

    pages = [await get_users_paginated(async_db, page=number) for number in (1, 2, 3, 4)]

    assert [len(page.items) for page in pages] == [20, 20, 5, 0]
    assert {(page.total, page.per_page, page.pages) for page in pages} == {(45, 20, 3)}
    seen = [(user.created_at, user.id) for page in pages for user in page.items]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 45
    by_key = await get_users_after(async_db, pages[0].items[-1].id)
    assert [user.id for user in by_key.items] == [user.id for user in pages[1].items]


async def test_pages_that_cannot_be_are_refused(unsaved):
    for page, per_page in ((0, 20), (-1, 20), (1, 0), (1, 1001)):
        with pytest.raises(ValueError, match=r"must be at least 1|from 1 to"):
            await get_users_paginated(unsaved, page=page, per_page=per_page)
    with pytest.raises(ValueError, match="order must be one of newest, oldest, name, not 'password_hash'"):
        await get_users(unsaved, order="password_hash")  # type: ignore[arg-type] # what is to be refused
    with pytest.raises(ValueError, match="limit must be from 1 to 1000"):
        await get_users(unsaved, limit=0)
    with pytest.raises(ValueError, match="not a valid PlanTier"):
        await get_users(unsaved, UserFilter(plan_tiers=("gold",)))  # type: ignore[arg-type] # what is to be refused
    with pytest.raises(UnknownPlaceError, match="begin with the first page"):
        await get_users_after(unsaved, uuid4())
