"""Store the appid that an openid belongs to; the empty one means that it is not known yet.

A process of the version before may run beside it: the default lets it go on adding followers.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

_Unique = tuple[str, tuple[str, ...]]
_OLD = ("uq_followers_account_openid", ("account", "openid"))
_NEW = ("uq_followers_account_appid_openid", ("account", "appid", "openid"))
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'followers'"


def upgrade() -> None:
    if _one_statement("ADD COLUMN appid VARBINARY(256) NOT NULL DEFAULT ''", _OLD, _NEW, unless=True):
        return
    text = sa.String(64).with_variant(postgresql.VARCHAR(64, collation="C"), "postgresql")
    with _altered(_OLD, _NEW) as followers:
        followers.add_column(sa.Column("appid", text, nullable=False, server_default=""))


def downgrade() -> None:
    if _one_statement("DROP COLUMN appid", _NEW, _OLD, unless=False):
        return
    with _altered(_NEW, _OLD) as followers:
        followers.drop_column("appid")


def _one_statement(clause: str, old: _Unique, new: _Unique, *, unless: bool) -> bool:
    """Change the table on MySQL and MariaDB, which cannot roll DDL back; return False on another database.

    Does nothing if the column exists (*unless*) or not: an interrupted migration has come this far.
    """
    bind = op.get_bind()
    if bind.dialect.name not in ("mysql", "mariadb"):
        return False
    columns = {column["name"] for column in sa.inspect(bind).get_columns("followers")}
    if ("appid" in columns) is not unless:
        unique = f"ADD UNIQUE {new[0]} ({', '.join(new[1])})"
        op.execute(f"ALTER TABLE followers {clause}, DROP INDEX {old[0]}, {unique}")
    return True


@contextmanager
def _altered(old: _Unique, new: _Unique) -> Iterator[BatchOperations]:
    """Replace the constraint *old* with *new* around the change of a column. SQLite copies the table."""
    bind = op.get_bind()
    last = bind.scalar(sa.text(_LAST)) if bind.dialect.name == "sqlite" else None
    with op.batch_alter_table("followers", table_kwargs={"sqlite_autoincrement": True}) as followers:
        followers.drop_constraint(old[0], type_="unique")
        yield followers
        followers.create_unique_constraint(new[0], list(new[1]))
    if last is not None:  # or the id of an erased follower could be used again
        op.execute(
            sa.text("UPDATE sqlite_sequence SET seq = :last WHERE name = 'followers'").bindparams(last=last)
        )
