"""Logging of the long-lived processes: one line each on standard error."""

import logging


def configure() -> None:
    """Show our own messages from INFO on, the client library's from ERROR on: it warns of what is routine."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def quiet() -> None:
    """Keep the client libraries silent: what goes wrong is told once, by the command."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)
