"""Add the table of names and pictures. A process of the version before may run beside it.

MySQL and MariaDB cannot roll DDL back, so each step is left out if an interrupted migration took it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

revision = "0009"
down_revision = "0008"


def _text(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(4 * length), "mysql", "mariadb")
    )


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if "profiles" not in inspector.get_table_names():
        number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
        op.create_table(
            "profiles",
            sa.Column("follower_id", number, nullable=False, autoincrement=False),
            sa.Column("nickname", sa.LargeBinary(1024), nullable=False),
            sa.Column("picture", sa.LargeBinary(65_535)),
            sa.Column("picture_name", _text(32)),
            sa.Column("picture_source", _text(32)),
            sa.Column("sealed_by", _text(16)),
            sa.Column("at", sa.BigInteger, nullable=False),
            sa.PrimaryKeyConstraint("follower_id", name="pk_profiles"),
            sa.UniqueConstraint("picture_name", name="uq_profiles_picture_name"),
        )
    inspector.clear_cache()
    present = {index["name"] for index in inspector.get_indexes("profiles")}
    for name, columns in (
        ("ix_profiles_at", ["at"]),
        ("ix_profiles_sealed_by_follower_id", ["sealed_by", "follower_id"]),
    ):
        if name not in present:
            op.create_index(name, "profiles", columns)


def downgrade() -> None:
    op.drop_table("profiles")
