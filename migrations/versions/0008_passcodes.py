"""Add the table of passcodes. A process of the version before may run beside it.

MySQL and MariaDB cannot roll DDL back, so each step is left out if an interrupted migration took it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

revision = "0008"
down_revision = "0007"


def _text(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(4 * length), "mysql", "mariadb")
    )


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if "passcodes" not in inspector.get_table_names():
        op.create_table(
            "passcodes",
            sa.Column("lookup", _text(32), nullable=False),
            sa.Column("ticket", _text(64), nullable=False),
            sa.Column("expires_at", sa.BigInteger, nullable=False),
            sa.PrimaryKeyConstraint("lookup", name="pk_passcodes"),
        )
    inspector.clear_cache()
    if not inspector.get_indexes("passcodes"):
        op.create_index("ix_passcodes_expires_at", "passcodes", ["expires_at"])


def downgrade() -> None:
    op.drop_table("passcodes")
