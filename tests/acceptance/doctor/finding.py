"""What the doctor finds, asked for by its tests."""

from sqlalchemy import text

from app.doctor.examine import examine
from app.doctor.finding import Finding, Verdict
from app.settings import Settings
from db.database import Database


async def findings(settings: Settings, *, timeout_seconds: float = 15) -> dict[str, Finding]:
    """What the doctor finds, by check, without this machine's own stacks."""
    found = await examine(settings, {}, timeout_seconds=timeout_seconds)
    return {each.name: each for each in found}


async def find(settings: Settings, name: str) -> tuple[Verdict, str]:
    found = (await findings(settings))[name]
    assert bool(found.advice) == (found.verdict is not Verdict.OK)
    return found.verdict, found.found


async def execute(database: Database, *statements: str) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))


def topic_of(settings: Settings, name: str) -> str:
    return f"topic {settings.topic_prefix}{name}"
