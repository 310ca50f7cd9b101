"""The table of the audit log."""

from typing import Final

import sqlalchemy as sa

from models.tables.columns import (
    DETAIL,
    EVENT,
    NAME,
    SHORTENED,
    TICKET,
    USER_ID,
    Identifier,
    Instant,
    metadata,
    serial,
)

audit: Final = sa.Table(
    "audit",
    metadata,
    serial(),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("event", Identifier(EVENT), nullable=False),
    sa.Column("client", Identifier(NAME)),
    sa.Column("account", Identifier(NAME)),
    sa.Column("ticket", Identifier(TICKET), index=True),
    sa.Column("openid", Identifier(SHORTENED)),
    sa.Column("user_id", Identifier(USER_ID)),
    sa.Column("detail", Identifier(DETAIL)),
    sa.Index(None, "client", "user_id"),
    sa.Index(None, "account", "openid"),
    sa.Index(None, "event", "at"),
)
