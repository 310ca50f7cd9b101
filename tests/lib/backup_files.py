"""A data_dir with some bindings, and backups of it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from config_files import tree
from migrated import put_migrated

from service.backups.creation import back_up
from service.config.settings import Settings, validate
from service.storage import sqlite

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FOLLOW = (
    "INSERT INTO followers (account, appid, openid, sealed_by, subscribed, followed_at) VALUES (?, '', ?, ?, 1, 0)"
)


def settings_in(data_dir: Path, **changes: object) -> Settings:
    return validate(tree(data_dir=str(data_dir), **changes))


def filled(data_dir: Path, *openids: str, sealed_by: str | None = None) -> Path:
    """Put a migrated database with these followers into *data_dir*; return its path."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    put_migrated(file := data_dir / sqlite.FILE)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(FOLLOW, [("main", openid, sealed_by) for openid in openids])
    return file


def damage(file: Path) -> None:
    """Exchange the content of two indexes of *file*, which only an integrity check notices."""
    one, other = "ix_followers_unionid", "ix_followers_person_id"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE followers SET unionid = openid")
        found = dict(connection.execute("SELECT name, rootpage FROM sqlite_schema"))
        connection.execute("PRAGMA writable_schema=ON")
        query = "UPDATE sqlite_schema SET rootpage=? WHERE name=?"
        connection.executemany(query, [(found[one], other), (found[other], one)])


def openids(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("SELECT openid FROM followers ORDER BY openid")]


def backup_of(data_dir: Path, target: Path) -> Path:
    """Back up the database in *data_dir*; return *target*."""
    back_up(settings_in(data_dir), target, now=NOW)
    return target
