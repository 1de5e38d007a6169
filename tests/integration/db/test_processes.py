"""What runs describes itself, and is forgotten when it ends."""

from sqlalchemy import text

from db.processes import ProcessRow, heartbeat_age_seconds


async def count(session) -> int:
    return await session.scalar(text("SELECT count(*) FROM processes"))


async def test_process_describes_itself_and_is_forgotten(async_db):
    row = ProcessRow(kind="consumer")
    assert await heartbeat_age_seconds(async_db, "consumer") is None

    await row.describe(async_db, {"applied": 1})
    await row.describe(async_db, {"applied": 2})

    assert await count(async_db) == 1
    age = await heartbeat_age_seconds(async_db, "consumer")
    assert age is not None
    assert age < 60
    assert await heartbeat_age_seconds(async_db, "relay") is None

    await row.forget(async_db)
    assert await count(async_db) == 0


async def test_processes_long_gone_are_forgotten_by_the_next_one_that_ends(async_db):
    gone, alive, ending = (ProcessRow(kind="consumer") for _ in range(3))
    for row in (gone, alive, ending):
        await row.describe(async_db, {})
    await async_db.execute(
        text("UPDATE processes SET heartbeat_at = now() - interval '2 hours' WHERE id = :id"), {"id": gone.id}
    )

    await ending.forget(async_db)

    assert [row[0] for row in await async_db.execute(text("SELECT id FROM processes"))] == [alive.id]
