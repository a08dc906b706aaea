"""Bringing the database's schema up to date, by one process at a time."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

SCRIPTS = "api.storage:migrations"

_LOCK = 5_418_230_147_702_566
"""An arbitrary number; whoever migrates this service's schema in a PostgreSQL database takes the lock by it."""


def migrate(connection: Connection) -> None:
    """Take all steps that are missing, in the transaction of `connection`; waits while another process does."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    command.upgrade(config(connection), "head")


def config(connection: Connection) -> Config:
    """Return alembic's configuration: the scripts of this package, on a connection."""
    made = Config()
    made.set_main_option("script_location", SCRIPTS)
    made.attributes["connection"] = connection
    return made
