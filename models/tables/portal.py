"""The table of portal sessions."""

from typing import Final

import sqlalchemy as sa

from models.language import Lang
from models.tables.columns import NAME, RETURN_URL, STATE, TICKET, USER_ID, Choice, Identifier, Instant, metadata

portal_sessions: Final = sa.Table(
    "portal_sessions",
    metadata,
    sa.Column("id", Identifier(TICKET), primary_key=True),
    sa.Column("client", Identifier(NAME), nullable=False),
    sa.Column("user_id", Identifier(USER_ID), nullable=False),
    sa.Column("account_name", Identifier(STATE)),
    sa.Column("return_url", Identifier(RETURN_URL)),
    sa.Column("only_login", sa.Boolean, nullable=False),
    sa.Column("lang", Choice(Lang)),
    # Set once, when the link is first opened; the session's secret is derived from it.
    sa.Column("opened_at", Instant),
    sa.Column("ends_at", Instant, nullable=False, index=True),
    sa.Index(None, "client", "user_id"),
)
