"""Add the table of portal sessions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

revision = "0002"
down_revision = "0001"


def _text(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(4 * length), "mysql", "mariadb")
    )


def upgrade() -> None:
    op.create_table(
        "portal_sessions",
        sa.Column("id", _text(64), nullable=False),
        sa.Column("client", _text(64), nullable=False),
        sa.Column("user_id", _text(128), nullable=False),
        sa.Column("account_name", _text(256)),
        sa.Column("return_url", _text(2048)),
        sa.Column("only_login", sa.Boolean, nullable=False),
        sa.Column("lang", _text(16)),
        sa.Column("opened_at", sa.BigInteger),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_portal_sessions"),
    )
    op.create_index("ix_portal_sessions_ends_at", "portal_sessions", ["ends_at"])
    op.create_index("ix_portal_sessions_client_user_id", "portal_sessions", ["client", "user_id"])


def downgrade() -> None:
    op.drop_table("portal_sessions")
