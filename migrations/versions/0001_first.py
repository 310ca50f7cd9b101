"""Create the first tables. Types are spelled out, so that the migration never changes with models/tables/."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None


def _text(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(4 * length), "mysql", "mariadb")
    )


def _serial() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, autoincrement=True, nullable=False)


def upgrade() -> None:
    _bindings()
    _followers()
    _endings()
    _bind_requests()
    _history()


def _bindings() -> None:
    op.create_table(
        "bindings",
        _serial(),
        sa.Column("client", _text(64), nullable=False),
        sa.Column("account", _text(64), nullable=False),
        sa.Column("user_id", _text(128), nullable=False),
        sa.Column("openid", _text(64), nullable=False),
        sa.Column("bound_at", sa.BigInteger, nullable=False),
        sa.Column("last_login_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_bindings"),
        sa.UniqueConstraint("client", "account", "user_id", name="uq_bindings_client_account_user_id"),
        sa.UniqueConstraint("client", "account", "openid", name="uq_bindings_client_account_openid"),
    )
    op.create_index("ix_bindings_account_openid", "bindings", ["account", "openid"])


def _followers() -> None:
    op.create_table(
        "followers",
        sa.Column("account", _text(64), nullable=False),
        sa.Column("openid", _text(64), nullable=False),
        sa.Column("unionid", _text(64)),
        sa.Column("subscribed", sa.Boolean, nullable=False),
        sa.Column("lang", _text(16)),
        sa.Column("asked_at", sa.BigInteger),
        sa.Column("followed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account", "openid", name="pk_followers"),
    )
    op.create_index("ix_followers_unionid", "followers", ["unionid"])


def _endings() -> None:
    op.create_table(
        "endings",
        sa.Column("ticket", _text(64), nullable=False),
        sa.Column("client", _text(64), nullable=False),
        sa.Column("account", _text(64)),
        sa.Column("status", _text(16), nullable=False),
        sa.Column("outcome", _text(16)),
        sa.Column("reason", _text(16)),
        sa.Column("openid", _text(64)),
        sa.Column("user_id", _text(128)),
        sa.Column("via", _text(16)),
        sa.Column("state", _text(256)),
        sa.Column("answered_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("code_used_at", sa.BigInteger),
        sa.Column("registered_to", _text(128)),
        sa.PrimaryKeyConstraint("ticket", name="pk_endings"),
    )
    op.create_index("ix_endings_expires_at", "endings", ["expires_at"])
    op.create_index("ix_endings_account_openid", "endings", ["account", "openid"])


def _bind_requests() -> None:
    op.create_table(
        "bind_requests",
        sa.Column("ticket", _text(64), nullable=False),
        sa.Column("client", _text(64), nullable=False),
        sa.Column("account", _text(64), nullable=False),
        sa.Column("user_id", _text(128), nullable=False),
        sa.Column("session", _text(128), nullable=False),
        sa.Column("account_name", _text(256)),
        sa.Column("qr_url", _text(512), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("ticket", name="pk_bind_requests"),
    )
    op.create_index("ix_bind_requests_expires_at", "bind_requests", ["expires_at"])
    op.create_index("ix_bind_requests_client_user_id_session", "bind_requests", ["client", "user_id", "session"])


def _history() -> None:
    op.create_table(
        "history",
        _serial(),
        sa.Column("client", _text(64), nullable=False),
        sa.Column("account", _text(64), nullable=False),
        sa.Column("user_id", _text(128), nullable=False),
        sa.Column("openid", _text(64)),
        sa.Column("change", _text(16), nullable=False),
        sa.Column("door", _text(16), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_history"),
    )
    op.create_index("ix_history_client_user_id", "history", ["client", "user_id"])
    op.create_index("ix_history_account_openid", "history", ["account", "openid"])


def downgrade() -> None:
    for table in ("history", "bind_requests", "endings", "followers", "bindings"):
        op.drop_table(table)
