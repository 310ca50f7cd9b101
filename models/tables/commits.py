"""The table of marks that transactions leave which must not be done twice."""

from typing import Final

import sqlalchemy as sa

from models.tables.columns import TICKET, Identifier, Instant, metadata

commit_marks: Final = sa.Table(
    "commit_marks",
    metadata,
    # Left by a transaction whose answer may be lost, so that it is not done twice (service/storage/database.py).
    sa.Column("id", Identifier(TICKET), primary_key=True),
    sa.Column("at", Instant, nullable=False, index=True),
)
