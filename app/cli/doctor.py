"""`squad doctor`: is everything there that the service needs, and what to do."""

from typing import Annotated

import typer

from app.cli.output import Json, print_json

app = typer.Typer()


@app.command()
def doctor(
    *,
    timeout_seconds: Annotated[
        float, typer.Option(min=0.1, help="How long PostgreSQL, Kafka, and what needs both may take.")
    ] = 15,
    as_json: Json = False,
) -> None:
    """Check what the service needs, and say what to do; changes nothing. Exit code 1 when a check failed."""
    import asyncio
    import os

    from app.doctor.examine import examine
    from app.doctor.finding import Verdict
    from app.settings import Settings

    findings = asyncio.run(examine(Settings.load(), os.environ, timeout_seconds=timeout_seconds))
    for finding in findings:
        if as_json:
            print_json(finding.as_object())
            continue
        color = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}[finding.verdict]
        typer.echo(f"{typer.style(f'{finding.verdict:<4}', fg=color)}  {finding.name}: {finding.found}")
        if finding.advice:
            typer.echo(f"      → {finding.advice}")
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        raise typer.Exit(1)
