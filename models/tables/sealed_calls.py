"""The table of sealed calls that were used."""

from typing import Final

import sqlalchemy as sa

from models.tables.columns import TICKET, Identifier, Instant, metadata

sealed_calls: Final = sa.Table(
    "sealed_calls",
    metadata,
    # A hash of client and `jti`. The primary key decides which of several equal calls is the first.
    sa.Column("id", Identifier(TICKET), primary_key=True),
    sa.Column("used_at", Instant, nullable=False, index=True),
)
