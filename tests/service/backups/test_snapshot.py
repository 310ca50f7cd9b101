"""Red when a copy misses what was committed, holds up a writer, or is accepted though it is damaged or foreign."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from backup_files import FOLLOW, damage, filled, openids

from service.backups import snapshot
from service.backups.manifest import BackupError


def test_a_copy_has_what_stands_in_the_journal_and_nothing_uncommitted(tmp_path: Path) -> None:
    file = filled(tmp_path / "var", "o1")
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute(FOLLOW, ("main", "o2", None))
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(FOLLOW, ("main", "o3", None))
        snapshot.take(file, tmp_path / "copy")
        writer.execute("COMMIT")
    assert openids(tmp_path / "copy") == ["o1", "o2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "var"], "no journal beside the copy"


def test_the_revision_is_that_of_the_migration(tmp_path: Path) -> None:
    assert snapshot.revision(filled(tmp_path)) == "0011"


def test_a_good_database_passes(tmp_path: Path) -> None:
    snapshot.check(filled(tmp_path, "o1"))


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON followers BEGIN DELETE FROM bindings; END", "has a trigger t"),
        ("CREATE VIEW v AS SELECT 1", "has a view v"),
        ("CREATE VIRTUAL TABLE x USING fts5(a)", "has a table x"),
        ("DELETE FROM alembic_version", "the database has no schema revision"),
        ("DROP TABLE alembic_version", "no such table: alembic_version"),
        ("UPDATE alembic_version SET version_num='9999'", "its schema revision 9999 is not known to this version"),
    ],
    ids=["trigger", "view", "virtual table", "no revision", "no table", "newer"],
)
def test_a_foreign_or_newer_database_is_refused(statement: str, fault: str, tmp_path: Path) -> None:
    file = filled(tmp_path)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)
    with pytest.raises(BackupError, match=fault):
        snapshot.check(file)


def test_what_a_fault_quotes_does_not_control_the_terminal(tmp_path: Path) -> None:
    file = filled(tmp_path)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute('CREATE VIEW "\x1b[2J" AS SELECT 1')
    with pytest.raises(BackupError, match=re.escape(r"has a view \x1b[2J")) as caught:
        snapshot.check(file)
    assert all(fault.isprintable() for fault in caught.value.faults)


def test_a_damaged_database_is_named_with_its_faults(tmp_path: Path) -> None:
    damage(file := filled(tmp_path, "o1", "o2"))
    with pytest.raises(BackupError, match=r"the database is damaged: row 1 missing from index") as caught:
        snapshot.check(file)
    assert len(caught.value.faults) >= 4


def test_another_file_is_no_database(tmp_path: Path) -> None:
    (file := tmp_path / "file").write_bytes(b"x" * 8192)
    with pytest.raises(BackupError, match="file is not a database"):
        snapshot.check(file)
