"""Bring a control database to the newest schema at start, with Alembic, under a lock."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from akto_proxy.errors import StorageError

_LOCK = 0x616B746F
"""Any fixed number: servers that start together take turns."""


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def revisions() -> list[str]:
    """All steps, oldest first."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return [script.revision for script in reversed(list(ScriptDirectory.from_config(config).walk_revisions()))]


def upgrade(engine: Engine, to: str = "head") -> None:
    """Run the steps the database has not seen.

    Raises:
        StorageError: a newer version of the program wrote this database.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        current = MigrationContext.configure(connection).get_current_revision()
        known = revisions()
        if current is not None and current not in known:
            raise StorageError(f"the control store has schema {current}, this version knows up to {known[-1]}")
        if current != (known[-1] if to == "head" else to):
            command.upgrade(_config(connection), to)
