"""Add the table of commit marks, which keep a transaction from being applied twice."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0005"
down_revision = "0004"

_ID = (
    sa.String(64)
    .with_variant(postgresql.VARCHAR(64, collation="C"), "postgresql")
    .with_variant(mysql.VARBINARY(256), "mysql", "mariadb")
)


def upgrade() -> None:
    op.create_table(
        "commit_marks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_commit_marks"),
    )
    op.create_index("ix_commit_marks_at", "commit_marks", ["at"])


def downgrade() -> None:
    op.drop_table("commit_marks")
