"""The table of identities, named followers: openids and unionids, in the clear or encrypted."""

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from models.language import Lang
from models.tables.columns import (
    APPID,
    KEY_ID,
    NAME,
    NUMBER,
    OPENID,
    SEALED,
    Choice,
    Identifier,
    Instant,
    metadata,
    serial,
)

NEVER: Final = datetime.fromtimestamp(0, UTC)
"""`followed_at` of a person who never followed: every unsubscribe and revocation is later."""

followers: Final = sa.Table(
    "followers",
    metadata,
    serial(),
    sa.Column("account", Identifier(NAME), nullable=False),
    # The appid that the openid belongs to; '' in rows from before it was stored (docs/adr/0023).
    sa.Column("appid", Identifier(APPID), nullable=False, server_default=""),
    # The lookup value: the openid itself or, in an encrypted row, its blind index
    # (service/crypto/field_encryption.py).
    sa.Column("openid", Identifier(OPENID), nullable=False),
    sa.Column("openid_sealed", Identifier(SEALED)),
    sa.Column("unionid", Identifier(OPENID), index=True),
    sa.Column("unionid_sealed", Identifier(SEALED)),
    sa.Column("sealed_by", Identifier(KEY_ID)),
    # Set once the unionid was joined: the person, and where (service/identities/persons.py).
    sa.Column("person_id", NUMBER, index=True),
    sa.Column("open_platform", Identifier(NAME)),
    # The lookup value of the unionid, in one of the rows that have this unionid.
    sa.Column("anchor", Identifier(OPENID)),
    sa.Column("subscribed", sa.Boolean, nullable=False),
    sa.Column("lang", Choice(Lang)),
    sa.Column("asked_at", Instant),
    sa.Column("followed_at", Instant, nullable=False),
    sa.UniqueConstraint("account", "appid", "openid"),
    # Of two identities that learn the same unionid at once, the second waits for the first, and finds it.
    sa.Index(None, "open_platform", "anchor", unique=True),
    sa.Index(None, "sealed_by", "id"),
    sqlite_autoincrement=True,  # the id of an erased follower is never used again
)
