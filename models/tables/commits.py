"""The table of commit marks, which keep a transaction from being applied twice."""

from typing import Final

import sqlalchemy as sa

from models.tables.columns import TICKET, Identifier, Instant, metadata

commit_marks: Final = sa.Table(
    "commit_marks",
    metadata,
    # Inserted in the transaction itself: if the answer to its commit is lost, a retry finds the mark
    # (service/storage/database.py).
    sa.Column("id", Identifier(TICKET), primary_key=True),
    sa.Column("at", Instant, nullable=False, index=True),
)
