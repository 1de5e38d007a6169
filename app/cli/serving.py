"""`squad api`: the HTTP API."""

import typer

app = typer.Typer()


@app.command()
def api() -> None:
    """Serve the HTTP API, until SIGTERM or Ctrl-C: requests under way are answered. It asks nobody who they are."""
    import asyncio
    from importlib.util import find_spec

    from app import logs
    from app.settings import Settings

    if not all(map(find_spec, ("fastapi", "psycopg", "uvicorn"))):
        typer.secho("squad api needs the extra `api`: pip install 'agent-squad[api]'", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)
    from app import serving

    logs.configure()
    asyncio.run(serving.serve(Settings.load()))
