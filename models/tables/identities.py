"""The table of followers: who is known, by which account, and under which key."""

from typing import Final

import sqlalchemy as sa

from models.language import Lang
from models.tables.columns import KEY_ID, NAME, OPENID, SEALED, Choice, Identifier, Instant, metadata, serial

followers: Final = sa.Table(
    "followers",
    metadata,
    serial(),
    sa.Column("account", Identifier(NAME), nullable=False),
    # What is looked up: the text itself, or its blind index in a sealed row (service/crypto/field_encryption.py).
    sa.Column("openid", Identifier(OPENID), nullable=False),
    sa.Column("openid_sealed", Identifier(SEALED)),
    sa.Column("unionid", Identifier(OPENID), index=True),
    sa.Column("unionid_sealed", Identifier(SEALED)),
    sa.Column("sealed_by", Identifier(KEY_ID)),
    sa.Column("subscribed", sa.Boolean, nullable=False),
    sa.Column("lang", Choice(Lang)),
    sa.Column("asked_at", Instant),
    sa.Column("followed_at", Instant, nullable=False),
    sa.UniqueConstraint("account", "openid"),
    sa.Index(None, "sealed_by", "id"),
    sqlite_autoincrement=True,  # the number of somebody erased is never another's
)
