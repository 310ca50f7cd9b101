"""The tables of bindings and of their history."""

from typing import Final

import sqlalchemy as sa

from models.binding import Change, ChangeSource
from models.tables.columns import CONSENT, NAME, USER_ID, Choice, Identifier, Instant, follower, metadata, serial

bindings: Final = sa.Table(
    "bindings",
    metadata,
    serial(),
    sa.Column("client", Identifier(NAME), nullable=False),
    sa.Column("account", Identifier(NAME), nullable=False),
    sa.Column("user_id", Identifier(USER_ID), nullable=False),
    follower(nullable=False),
    sa.Column("bound_at", Instant, nullable=False),
    sa.Column("last_login_at", Instant),
    sa.Column("consent", Identifier(CONSENT)),
    # These constraints, not a check in code, decide whether a binding can be made.
    sa.UniqueConstraint("client", "account", "user_id"),
    sa.UniqueConstraint("client", "account", "follower_id"),
)
history: Final = sa.Table(
    "history",
    metadata,
    serial(),
    sa.Column("client", Identifier(NAME), nullable=False),
    sa.Column("account", Identifier(NAME), nullable=False),
    sa.Column("user_id", Identifier(USER_ID), nullable=False),
    follower(nullable=True),
    sa.Column("change", Choice(Change), nullable=False),
    sa.Column("door", Choice(ChangeSource), nullable=False),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Index(None, "client", "user_id"),
)
