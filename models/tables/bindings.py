"""The tables of bindings, of single disconnects and of the history."""

from typing import Final

import sqlalchemy as sa

from models.binding import Change, ChangeSource
from models.method import Method
from models.tables.columns import (
    CONSENT,
    NAME,
    NUMBER,
    USER_ID,
    Choice,
    Identifier,
    Instant,
    follower,
    metadata,
    serial,
)

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
    sa.Column("method", Choice(Method), nullable=False, server_default=Method.SCAN.value),
    # Set together, in the first row of each person whose unionid was joined: the person, and where.
    sa.Column("primary_of", NUMBER),
    sa.Column("primary_in", Identifier(NAME)),
    # These constraints, not a check in code, decide whether a binding can be made.
    sa.UniqueConstraint("client", "account", "user_id"),
    sa.UniqueConstraint("client", "account", "follower_id"),
    sa.Index(None, "client", "user_id"),
    sa.Index(None, "client", "primary_of", unique=True),
    sa.Index(None, "client", "primary_in", "user_id", unique=True),
)
separations: Final = sa.Table(
    "separations",
    metadata,
    # An identity that was disconnected alone is not bound again through its person (contract.md 5).
    sa.Column("client", Identifier(NAME), primary_key=True),
    follower(nullable=False, primary_key=True),
    sa.Column("at", Instant, nullable=False),
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
