"""Checks the settings of a database server that the service relies on."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from models.tables.columns import metadata
from service.doctor.clocks import clock_finding
from service.doctor.file_systems import sqlite_findings
from service.doctor.finding import Finding

_SUBJECT: Final = "database"
_COLUMNS: Final = sa.text(
    "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE()"
)


def server_findings(connection: sa.Connection) -> list[Finding]:
    """Return what is wrong with the server of *connection*; nothing if all is well."""
    return list(_CHECKS[connection.dialect.name](connection))


def _sqlite(connection: sa.Connection) -> Iterator[Finding]:
    if file := connection.engine.url.database:
        yield from sqlite_findings(Path(file))


def _postgresql(connection: sa.Connection) -> Iterator[Finding]:
    encoding = connection.scalar(sa.text("SHOW server_encoding"))
    if encoding != "UTF8":
        message = f"its encoding is {encoding}, which cannot hold every name"
        yield Finding(False, _SUBJECT, message, "create it anew with ENCODING 'UTF8', and restore the rows")
    if connection.scalar(sa.text("SELECT pg_is_in_recovery()")):
        yield Finding(False, _SUBJECT, "is a standby, which takes no writes", "set database.url to the primary")
    elif connection.scalar(sa.text("SHOW default_transaction_read_only")) == "on":
        message = "default_transaction_read_only is on, so every write fails"
        yield Finding(False, _SUBJECT, message, "set it to off, for the database and the user")
    for setting in ("fsync", "synchronous_commit"):
        if connection.scalar(sa.text(f"SHOW {setting}")) == "off":
            message = f"{setting} is off: confirmed bindings may be lost in a power failure"
            yield Finding(None, _SUBJECT, message, f"set {setting} to on")
    yield from _clock(connection, "SELECT extract(epoch FROM clock_timestamp())")


def _mysql(connection: sa.Connection) -> Iterator[Finding]:
    if connection.scalar(sa.text("SELECT @@global.read_only")):
        yield Finding(False, _SUBJECT, "is read-only: a replica, perhaps", "set database.url to the primary")
    if "STRICT" not in str(connection.scalar(sa.text("SELECT @@session.sql_mode"))):
        message = "sql_mode is not strict: values that are too long are cut off"
        yield Finding(None, _SUBJECT, message, "add STRICT_TRANS_TABLES to sql_mode")
    if connection.scalar(sa.text("SELECT @@global.innodb_flush_log_at_trx_commit")) != 1:
        message = "innodb_flush_log_at_trx_commit is not 1: confirmed bindings may be lost in a power failure"
        yield Finding(None, _SUBJECT, message, "set innodb_flush_log_at_trx_commit to 1")
    yield from _columns(connection)
    yield from _clock(connection, "SELECT UNIX_TIMESTAMP(NOW(6))")


def _columns(connection: sa.Connection) -> Iterator[Finding]:
    """Yield columns whose type an import has changed, so that they compare identifiers wrongly."""
    kinds = {(str(table), str(name)): str(kind).lower() for table, name, kind in connection.execute(_COLUMNS)}
    for column in (column for table in metadata.sorted_tables for column in table.columns):
        place, kind = f"{column.table.name}.{column.name}", kinds.get((column.table.name, column.name))
        if kind != "varbinary" and str(column.type.compile(connection.dialect)).startswith("VARBINARY"):
            message = f"{place} is {kind}: identifiers that differ in case or accents are taken for the same"
            yield Finding(False, _SUBJECT, message, "restore a dump that keeps the type VARBINARY")


def _clock(connection: sa.Connection, query: str) -> Iterator[Finding]:
    theirs = float(connection.scalar(sa.text(query)) or 0)
    yield from clock_finding(_SUBJECT, time.time() - theirs)


_CHECKS: Final[Mapping[str, Callable[[sa.Connection], Iterator[Finding]]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
}
