"""Let identities belong to a person, bindings to a method, and remember identities disconnected alone.

A process of the version before may run beside it: it goes on without the new columns, which are nullable or have a
default. MySQL and MariaDB cannot roll DDL back, so each step is left out if an interrupted migration took it.
PostgreSQL keeps both tables locked until the end.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from models.errors import StoreUnavailable

revision = "0007"
down_revision = "0006"


def _text(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(4 * length), "mysql", "mariadb")
    )


_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_COLUMNS = (
    ("followers", "person_id", _NUMBER),
    ("followers", "open_platform", _text(64)),
    ("followers", "anchor", _text(64)),
    ("bindings", "primary_of", _NUMBER),
    ("bindings", "primary_in", _text(64)),
)
_INDEXES = (
    ("followers", ("person_id",), False),
    ("followers", ("open_platform", "anchor"), True),
    ("bindings", ("client", "user_id"), False),
    ("bindings", ("client", "primary_of"), True),
    ("bindings", ("client", "primary_in", "user_id"), True),
    ("separations", ("follower_id",), False),
)
_TRIES = 60  # about a minute


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        _lock(bind)
    inspector = sa.inspect(bind)
    present = {
        (table, column["name"]) for table in ("followers", "bindings") for column in inspector.get_columns(table)
    }
    columns = [(table, sa.Column(name, kind)) for table, name, kind in _COLUMNS]
    columns.append(("bindings", sa.Column("method", _text(16), nullable=False, server_default="scan")))
    for table, column in columns:
        if (table, column.name) not in present:
            op.add_column(table, column)
    if "separations" not in inspector.get_table_names():
        op.create_table(
            "separations",
            sa.Column("client", _text(64), nullable=False),
            sa.Column("follower_id", _NUMBER, nullable=False, autoincrement=False),
            sa.Column("at", sa.BigInteger, nullable=False),
            sa.PrimaryKeyConstraint("client", "follower_id", name="pk_separations"),
        )
    inspector.clear_cache()
    tables = {table for table, *_ in _INDEXES}
    indexed = {index["name"] for table in tables for index in inspector.get_indexes(table)}
    for table, names, unique in _INDEXES:
        if _index(table, names) not in indexed:
            op.create_index(_index(table, names), table, list(names), unique=unique)


def downgrade() -> None:
    for table, names, _ in reversed(_INDEXES):
        op.drop_index(_index(table, names), table)
    op.drop_table("separations")
    for table, name, _ in _COLUMNS:
        op.drop_column(table, name)
    op.drop_column("bindings", "method")


def _lock(bind: sa.Connection) -> None:
    """Lock both tables or neither; give up each try before PostgreSQL looks for deadlocks, which takes a second.

    To hold one table while waiting for the other is a deadlock with a request that reads both, and all requests
    wait behind a lock that waits for a long query.
    """
    bind.execute(sa.text("SET LOCAL lock_timeout = '500ms'"))
    for _ in range(_TRIES):
        try:
            with bind.begin_nested():
                bind.execute(sa.text("LOCK TABLE followers, bindings"))
        except DBAPIError as e:
            if getattr(e.orig, "sqlstate", None) != "55P03":  # lock_not_available
                raise
            bind.execute(sa.text("SELECT pg_sleep(0.5)"))
        else:
            return
    raise StoreUnavailable("a long transaction uses the tables, perhaps a backup: migrate again after it")


def _index(table: str, names: tuple[str, ...]) -> str:
    return f"ix_{table}_{'_'.join(names)}"
