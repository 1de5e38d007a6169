"""How connections are lent: as they are; one that broke meanwhile is found out by its first statement."""

from db.database import Database


def test_connection_is_lent_without_being_asked_first() -> None:
    """To ask costs three round trips for each transaction, and what is found out later is tried again anyway."""
    database = Database(url="postgresql+asyncpg://localhost/none")

    assert [engine.pool._pre_ping for engine in (database.engine.sync_engine, database.sync_engine)] == [False, False]
