"""Add the table of used sealed calls. A process of the version before may run beside it: it has no sealed calls.

MySQL and MariaDB cannot roll DDL back, so each step is left out if an interrupted migration took it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

revision = "0011"
down_revision = "0010"


def _text(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(4 * length), "mysql", "mariadb")
    )


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if "sealed_calls" not in inspector.get_table_names():
        op.create_table(
            "sealed_calls",
            sa.Column("id", _text(64), nullable=False),
            sa.Column("used_at", sa.BigInteger, nullable=False),
            sa.PrimaryKeyConstraint("id", name="pk_sealed_calls"),
        )
    inspector.clear_cache()
    if not inspector.get_indexes("sealed_calls"):
        op.create_index("ix_sealed_calls_used_at", "sealed_calls", ["used_at"])


def downgrade() -> None:
    op.drop_table("sealed_calls")
