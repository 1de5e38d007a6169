"""`squad seed`: something to look at."""

from typing import Annotated

import typer

from app.cli.output import Json, print_fields, print_json

app = typer.Typer()


@app.command()
def seed(
    *,
    squads: Annotated[int, typer.Option(min=1, help="How many, with members and projects.")] = 100,
    tasks: Annotated[int, typer.Option(min=0, help="How many in all of them.")] = 10_000,
    seed: Annotated[int | None, typer.Option(help="Of every choice, ids too; a new one where absent.")] = None,
    source: Annotated[str, typer.Option(help="CloudEvents source of the commands.")] = "/squad-seed",
    patience_seconds: Annotated[float, typer.Option(min=1, help="How long nothing may be decided.")] = 60,
    as_json: Json = False,
) -> None:
    """Fill a running service with users, squads, projects and tasks by commands like anybody's, and wait for them."""
    import asyncio
    import random

    from rich.console import Console

    from app.demo.report import Report
    from app.seeding.plan import Plan, Size
    from app.seeding.run import Seeding
    from app.settings import Settings

    chosen = random.SystemRandom().getrandbits(32) if seed is None else seed
    seeding = Seeding(
        Settings.load(), source=source, patience_seconds=patience_seconds, report=Report(Console(stderr=True))
    )
    done = asyncio.run(seeding.run(Plan(Size(squads=squads, tasks=tasks), seed=chosen)))
    done["seed"] = chosen
    print_json(done) if as_json else print_fields(done)
    if done["outcomes"] != {"applied": done["commands"]}:
        raise typer.Exit(1)
