"""How the schema came to be, step by step. Runs on a connection it is given; opens none."""

from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_FOLDER: Final = Path(__file__).parent


def config(connection: Connection | None = None) -> Config:
    """Return alembic's configuration, made here so that an installed service needs no alembic.ini."""
    made = Config()
    made.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


@cache
def head() -> str:
    """Return the revision that this code works with."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def current(connection: Connection) -> str:
    """Return the revision a database is at; empty for one that was never migrated."""
    return ", ".join(MigrationContext.configure(connection).get_current_heads())


def upgrade(connection: Connection) -> None:
    """Bring a database to `head()`, within the caller's transaction; nothing happens if it is there."""
    if current(connection) != head():
        command.upgrade(config(connection), "head")
