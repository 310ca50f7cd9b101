"""Add the tables of events to deliver. A process of the version before may run beside it: it writes no events.

MySQL and MariaDB cannot roll DDL back, so each step is left out if an interrupted migration took it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

revision = "0010"
down_revision = "0009"


def _text(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(4 * length), "mysql", "mariadb")
    )


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    present = inspector.get_table_names()
    if "outbox" not in present:
        _add_outbox()
    if "webhook_endpoints" not in present:
        op.create_table(
            "webhook_endpoints",
            sa.Column("target", _text(32), nullable=False),
            sa.Column("failures", sa.Integer, nullable=False),
            sa.Column("failing_since", sa.BigInteger),
            sa.Column("disabled", _text(16)),
            sa.Column("disabled_at", sa.BigInteger),
            sa.Column("paused_until", sa.BigInteger),
            sa.PrimaryKeyConstraint("target", name="pk_webhook_endpoints"),
        )
    inspector.clear_cache()
    indexes = {index["name"] for index in inspector.get_indexes("outbox")}
    for columns in (
        ["at"],
        ["state", "target", "due_at", "id"],
        ["follower_id", "target", "state", "id"],
        ["person_id", "target", "state", "id"],
        ["client", "user_id"],
        ["sealed_by", "id"],
    ):
        if (name := f"ix_outbox_{'_'.join(columns)}") not in indexes:
            op.create_index(name, "outbox", columns)


def _add_outbox() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "outbox",
        sa.Column("id", number, nullable=False, autoincrement=True),
        sa.Column("message", _text(32), nullable=False),
        sa.Column("target", _text(32), nullable=False),
        sa.Column("client", _text(64)),
        sa.Column("event", _text(32), nullable=False),
        sa.Column("user_id", _text(128)),
        sa.Column("follower_id", number),
        sa.Column("person_id", number),
        sa.Column("payload", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")),
        sa.Column("sealed_by", _text(16)),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("erased", sa.Boolean, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("lease", _text(32)),
        sa.Column("leased_until", sa.BigInteger),
        sa.Column("tried_at", sa.BigInteger),
        sa.Column("status", sa.Integer),
        sa.Column("fault", _text(256)),
        sa.Column("answer", sa.LargeBinary(2048)),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("message", "target", name="uq_outbox_message_target"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("webhook_endpoints")
    op.drop_table("outbox")
