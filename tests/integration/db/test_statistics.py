"""Averages, counts and usage, on a real database."""

from datetime import date
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db.queries.statistics import (
    Usage,
    average_feedback_rating,
    get_usage,
    squad_feedback_ratings,
    squad_member_counts,
)
from tests.making import NOON

FEEDBACK = text(
    "INSERT INTO feedback (id, squad_id, rating, created_at, withdrawn_at) VALUES (:id, :squad, :rating, :at, :gone)"
)
USAGE = text(
    "INSERT INTO usage_metrics (id, squad_id, metric, period, value, limit_value)"
    " VALUES (:id, :squad, :metric, :period, :value, :most)"
)


@pytest.fixture
async def squads(unsaved):
    """Three squads, in the order of their ids."""
    ids, owner = sorted(uuid4() for _ in range(3)), uuid4()
    await unsaved.execute(
        text("INSERT INTO users (id, name, created_at, version) VALUES (:id, 'Ada', :at, 1)"), {"id": owner, "at": NOON}
    )
    await unsaved.execute(
        text(
            "INSERT INTO squads (id, user_id, name, status, created_at, version)"
            " VALUES (:id, :owner, 'Squad', 'active', :at, 1)"
        ),
        [{"id": each, "owner": owner, "at": NOON} for each in ids],
    )
    return ids


async def rate(session, squad_id: UUID, rating: int, *, withdrawn: bool = False) -> None:
    gone = NOON if withdrawn else None
    await session.execute(FEEDBACK, {"id": uuid4(), "squad": squad_id, "rating": rating, "at": NOON, "gone": gone})


async def test_average_of_no_feedback_is_none(squads, unsaved):
    assert await average_feedback_rating(unsaved) is None
    await rate(unsaved, squads[0], 1, withdrawn=True)

    assert await average_feedback_rating(unsaved) is None
    assert await average_feedback_rating(unsaved, squads[0]) is None


async def test_averages_by_squad_and_of_all_leave_out_what_was_withdrawn(squads, unsaved):
    first, second, third = squads
    for rating in (5, 4, 4):
        await rate(unsaved, first, rating)
    await rate(unsaved, second, 1)
    await rate(unsaved, first, 1, withdrawn=True)

    assert await average_feedback_rating(unsaved) == 3.5
    assert await average_feedback_rating(unsaved, first) == pytest.approx(13 / 3)
    page = await squad_feedback_ratings(unsaved)
    assert [(each.id, each.count) for each in page.items] == [(first, 3), (second, 1), (third, 0)]
    assert [each.average for each in page.items] == [pytest.approx(13 / 3), 1.0, None]


async def test_numbers_by_squad_come_in_pages(squads, unsaved):
    first, second, third = squads
    for read in (squad_feedback_ratings, squad_member_counts):
        page = await read(unsaved, None, 2)
        assert ([each.id for each in page.items], page.next) == ([first, second], second)
        last = await read(unsaved, page.next, 2)
        assert ([(each.id, each.count) for each in last.items], last.next) == ([(third, 0)], None)
        with pytest.raises(ValueError, match="per_page must be from 1"):
            await read(unsaved, None, 0)


async def test_usage_is_given_by_metric_and_month(squads, unsaved):
    squad, other, _ = squads
    may, june = date(2026, 5, 1), date(2026, 6, 1)
    for squad_id, metric, period, value, most in (
        (squad, "tokens", may, 7, 10),
        (squad, "tokens", june, 9, None),
        (squad, "calls", may, 1, None),
        (other, "calls", may, 5, None),
    ):
        row = {"squad": squad_id, "metric": metric, "period": period, "value": value, "most": most}
        await unsaved.execute(USAGE, {"id": uuid4()} | row)

    calls = Usage(metric="calls", period=may, value=1, limit=None)
    old, new = (
        Usage(metric="tokens", period=may, value=7, limit=10),
        Usage(metric="tokens", period=june, value=9, limit=None),
    )
    assert await get_usage(unsaved, squad) == [calls, new, old]
    assert await get_usage(unsaved, squad, metric="tokens") == [new, old]
    assert await get_usage(unsaved, squad, month=date(2026, 5, 31)) == [calls, old]
    assert await get_usage(unsaved, squad, metric="tokens", month=june) == [new]
    assert await get_usage(unsaved, squad, limit=1) == [calls]
    assert await get_usage(unsaved, uuid4()) == []
    assert await get_usage(unsaved, squad, metric="\x00") == ()
