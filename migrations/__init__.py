"""Schema migrations (Alembic), run on a connection that the caller provides."""

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
    """Return Alembic's configuration, built here so that an installed service needs no alembic.ini."""
    result = Config()
    result.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    result.set_main_option("path_separator", "os")
    result.attributes["connection"] = connection
    return result


@cache
def head() -> str:
    """Return the newest revision, which this code requires."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def knows(revision: str) -> bool:
    """Tell whether this code has *revision*: a newer scanbind may have migrated the database."""
    scripts = ScriptDirectory.from_config(config())
    return revision in {script.revision for script in scripts.walk_revisions()}


def current(connection: Connection) -> str:
    """Return the database's revision; empty if it was never migrated."""
    return ", ".join(MigrationContext.configure(connection).get_current_heads())


def upgrade(connection: Connection) -> bool:
    """Take the next step to `head()` within the caller's transaction; return whether there was one."""
    if current(connection) == head():
        return False
    command.upgrade(config(connection), "+1")
    return True
