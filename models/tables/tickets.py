"""The tables of ticket endings, of bind requests and of passcodes."""

from typing import Final

import sqlalchemy as sa

from models.tables.columns import (
    LOOKUP,
    NAME,
    SESSION,
    STATE,
    TICKET,
    URL,
    USER_ID,
    Choice,
    Identifier,
    Instant,
    follower,
    metadata,
)
from models.ticket import Outcome, Reason, Status, Via

endings: Final = sa.Table(
    "endings",
    metadata,
    # The primary key decides which of several concurrent endings is the first.
    sa.Column("ticket", Identifier(TICKET), primary_key=True),
    sa.Column("client", Identifier(NAME), nullable=False),
    sa.Column("account", Identifier(NAME)),
    sa.Column("status", Choice(Status), nullable=False),
    sa.Column("outcome", Choice(Outcome)),
    sa.Column("reason", Choice(Reason)),
    follower(nullable=True),
    sa.Column("user_id", Identifier(USER_ID)),
    sa.Column("via", Choice(Via)),
    sa.Column("state", Identifier(STATE)),
    sa.Column("answered_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    sa.Column("code_used_at", Instant),
    sa.Column("registered_to", Identifier(USER_ID)),
)
bind_requests: Final = sa.Table(
    "bind_requests",
    metadata,
    sa.Column("ticket", Identifier(TICKET), primary_key=True),
    sa.Column("client", Identifier(NAME), nullable=False),
    sa.Column("account", Identifier(NAME), nullable=False),
    sa.Column("user_id", Identifier(USER_ID), nullable=False),
    sa.Column("session", Identifier(SESSION), nullable=False),
    sa.Column("account_name", Identifier(STATE)),
    sa.Column("qr_url", Identifier(URL), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    sa.Index(None, "client", "user_id", "session"),
)
passcodes: Final = sa.Table(
    "passcodes",
    metadata,
    # A keyed hash of account and passcode (service/crypto/keyring.py). The primary key keeps passcodes distinct.
    sa.Column("lookup", Identifier(LOOKUP), primary_key=True),
    sa.Column("ticket", Identifier(TICKET), nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)
