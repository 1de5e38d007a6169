"""What goes wrong before there is a database, told to whoever runs the tests."""


class NoPostgresError(Exception):
    """There is no PostgreSQL, or none that can be used. The message says why and what to do."""
