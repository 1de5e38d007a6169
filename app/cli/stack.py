"""`squad demo`, `squad up`, `squad down`: everything at once on this machine."""

import typer

app = typer.Typer()
