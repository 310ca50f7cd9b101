"""Refer to followers by a numeric id. Add columns for encrypted openids and for consent, and the audit log.

Tables are created again and filled from the old ones: SQLite can alter little of a table, and the primary key of
followers changes.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

revision = "0003"
down_revision = "0002"

_FOLLOWERS = ("account", "openid", "unionid", "subscribed", "lang", "asked_at", "followed_at")
_BINDINGS = ("client", "account", "user_id", "bound_at", "last_login_at")
_HISTORY = ("client", "account", "user_id", "change", "door", "at")
_ENDINGS = (
    *("ticket", "client", "account", "status", "outcome", "reason", "user_id", "via", "state"),
    *("answered_at", "expires_at", "code_used_at", "registered_to"),
)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(4 * length), "mysql", "mariadb")
    )


def _serial() -> sa.Column[int]:
    return sa.Column("id", _NUMBER, autoincrement=True, nullable=False)


def upgrade() -> None:
    _set_aside()
    _numbered_followers()
    old = _old("followers", _FOLLOWERS)
    _fill("followers", _FOLLOWERS, sa.select(*old.c).order_by(old.c.followed_at))
    _add_missing_followers()
    for name, make, columns, order in _REFERRING:
        old, person = _old(name, (*columns, "openid", order)), _follower_columns("followers")
        same = sa.and_(person.c.account == old.c.account, person.c.openid == old.c.openid)
        rows = sa.select(*_of(old, columns), person.c.id).select_from(old.outerjoin(person, same))
        make(partial(sa.Column, "follower_id", _NUMBER))
        _fill(name, (*columns, "follower_id"), rows.order_by(old.c[order]))
        op.create_index(f"ix_{name}_follower_id", name, ["follower_id"])
    _audit()
    _drop(f"migrating_{name}" for name in _NAMES)


def downgrade() -> None:
    sealed = _table("followers", ("sealed_by",)).c.sealed_by
    if op.get_bind().scalar(sa.select(sealed).where(sealed.is_not(None)).limit(1)):
        raise RuntimeError(
            "openids are encrypted, which the older tables cannot store: put `clear` first in encryption.keys "
            "and run `scanbind keys encrypt`, then try again"
        )
    _set_aside()
    for name, make, columns, order in _REFERRING:
        old, person = _old(name, (*columns, "follower_id", order)), _follower_columns("migrating_followers")
        same = person.c.id == old.c.follower_id
        rows = sa.select(*_of(old, columns), person.c.openid).select_from(old.outerjoin(person, same))
        make(partial(sa.Column, "openid", _text(64)))
        _fill(name, (*columns, "openid"), rows.order_by(old.c[order]))
        op.create_index(f"ix_{name}_account_openid", name, ["account", "openid"])
    _followers_by_openid()
    _fill("followers", _FOLLOWERS, sa.select(*_old("followers", _FOLLOWERS).c))
    _drop(["audit", *(f"migrating_{name}" for name in _NAMES)])


def _set_aside() -> None:
    """Rename all tables to `migrating_NAME` at once, so that an older service's writes fail and are not lost.

    MySQL and MariaDB cannot roll DDL back. There an interrupted migration has left the renamed tables, and starts
    again from them.
    """
    bind = op.get_bind()
    if bind.dialect.name in ("mysql", "mariadb"):
        if {f"migrating_{name}" for name in _NAMES} <= set(sa.inspect(bind).get_table_names()):
            _drop([*_NAMES, "audit"])
        else:
            op.execute("RENAME TABLE " + ", ".join(f"{name} TO migrating_{name}" for name in _NAMES))
        return
    if bind.dialect.name == "postgresql":
        op.execute("LOCK TABLE " + ", ".join(_NAMES))
    for name in _NAMES:  # copied, because an index keeps its name when its table is renamed
        op.execute(f"CREATE TABLE migrating_{name} AS SELECT * FROM {name}")  # noqa: S608 - constant names
        op.drop_table(name)


def _drop(names: Iterable[str]) -> None:
    for name in names:
        op.drop_table(name, if_exists=True)


def _fill(name: str, columns: Sequence[str], rows: sa.Select[Any]) -> None:
    op.execute(sa.insert(_table(name, columns)).from_select(columns, rows))


def _add_missing_followers() -> None:
    """Add a follower for each openid that only another table contains: ids are assigned in followers alone."""
    known = _table("followers", ("account", "openid", "subscribed", "followed_at"))
    since = {"bindings": "bound_at", "history": "at", "endings": "answered_at"}
    named = sa.union_all(*(_named(name, at) for name, at in since.items())).subquery()
    same = sa.and_(known.c.account == named.c.account, known.c.openid == named.c.openid)
    unknown = (
        sa.select(named.c.account, named.c.openid, sa.true(), sa.func.min(named.c.since))
        .where(named.c.account.is_not(None), named.c.openid.is_not(None), ~sa.exists().where(same))
        .group_by(named.c.account, named.c.openid)
    )
    op.execute(sa.insert(known).from_select(list(known.c), unknown))


def _named(name: str, since: str) -> sa.Select[Any]:
    table = _old(name, ("account", "openid", since))
    return sa.select(table.c.account, table.c.openid, table.c[since].label("since"))


def _table(name: str, columns: Sequence[str]) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in dict.fromkeys(columns)))


def _old(name: str, columns: Sequence[str]) -> sa.TableClause:
    return _table(f"migrating_{name}", columns)


def _follower_columns(name: str) -> sa.TableClause:
    return _table(name, ("id", "account", "openid"))


def _of(table: sa.TableClause, columns: Sequence[str]) -> list[sa.ColumnClause[Any]]:
    return [table.c[column] for column in columns]


def _numbered_followers() -> None:
    op.create_table(
        "followers",
        _serial(),
        sa.Column("account", _text(64), nullable=False),
        sa.Column("openid", _text(64), nullable=False),
        sa.Column("openid_sealed", _text(128)),
        sa.Column("unionid", _text(64)),
        sa.Column("unionid_sealed", _text(128)),
        sa.Column("sealed_by", _text(16)),
        sa.Column("subscribed", sa.Boolean, nullable=False),
        sa.Column("lang", _text(16)),
        sa.Column("asked_at", sa.BigInteger),
        sa.Column("followed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_followers"),
        sa.UniqueConstraint("account", "openid", name="uq_followers_account_openid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_followers_unionid", "followers", ["unionid"])
    op.create_index("ix_followers_sealed_by_id", "followers", ["sealed_by", "id"])


def _followers_by_openid() -> None:
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


def _bindings(reference: Callable[..., sa.Column[Any]]) -> None:
    person = reference(nullable=False)
    consent = [sa.Column("consent", _text(64))] if person.name == "follower_id" else []
    op.create_table(
        "bindings",
        _serial(),
        sa.Column("client", _text(64), nullable=False),
        sa.Column("account", _text(64), nullable=False),
        sa.Column("user_id", _text(128), nullable=False),
        person,
        sa.Column("bound_at", sa.BigInteger, nullable=False),
        sa.Column("last_login_at", sa.BigInteger),
        *consent,
        sa.PrimaryKeyConstraint("id", name="pk_bindings"),
        sa.UniqueConstraint("client", "account", "user_id", name="uq_bindings_client_account_user_id"),
        sa.UniqueConstraint("client", "account", person.name, name=f"uq_bindings_client_account_{person.name}"),
    )


def _endings(reference: Callable[..., sa.Column[Any]]) -> None:
    op.create_table(
        "endings",
        sa.Column("ticket", _text(64), nullable=False),
        sa.Column("client", _text(64), nullable=False),
        sa.Column("account", _text(64)),
        sa.Column("status", _text(16), nullable=False),
        sa.Column("outcome", _text(16)),
        sa.Column("reason", _text(16)),
        reference(nullable=True),
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


def _history(reference: Callable[..., sa.Column[Any]]) -> None:
    op.create_table(
        "history",
        _serial(),
        sa.Column("client", _text(64), nullable=False),
        sa.Column("account", _text(64), nullable=False),
        sa.Column("user_id", _text(128), nullable=False),
        reference(nullable=True),
        sa.Column("change", _text(16), nullable=False),
        sa.Column("door", _text(16), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_history"),
    )
    op.create_index("ix_history_client_user_id", "history", ["client", "user_id"])


def _audit() -> None:
    op.create_table(
        "audit",
        _serial(),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", _text(32), nullable=False),
        sa.Column("client", _text(64)),
        sa.Column("account", _text(64)),
        sa.Column("ticket", _text(64)),
        sa.Column("openid", _text(32)),
        sa.Column("user_id", _text(128)),
        sa.Column("detail", _text(256)),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_ticket", "audit", ["ticket"])
    op.create_index("ix_audit_client_user_id", "audit", ["client", "user_id"])
    op.create_index("ix_audit_account_openid", "audit", ["account", "openid"])
    op.create_index("ix_audit_event_at", "audit", ["event", "at"])


# Table, function that creates it, columns to copy, and the column that orders its rows.
_REFERRING = (
    ("bindings", _bindings, _BINDINGS, "id"),
    ("endings", _endings, _ENDINGS, "ticket"),
    ("history", _history, _HISTORY, "id"),
)
_NAMES = ("followers", *(name for name, *_ in _REFERRING))
