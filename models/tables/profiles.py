"""The table of the names and pictures of people."""

from typing import Final

import sqlalchemy as sa

from models.tables.columns import KEY_ID, LOOKUP, NUMBER, Identifier, Instant, metadata

profiles: Final = sa.Table(
    "profiles",
    metadata,
    # Of one identity. As elsewhere, no foreign key: erasure deletes the row itself.
    sa.Column("follower_id", NUMBER, primary_key=True, autoincrement=False),
    # Nickname (UTF-8) and picture (JPEG) are encrypted if the openids are (service/crypto/field_encryption.py).
    sa.Column("nickname", sa.LargeBinary(1024), nullable=False),
    sa.Column("picture", sa.LargeBinary(65_535)),
    # In the address of the picture; a new one for each picture, because browsers keep it.
    sa.Column("picture_name", Identifier(LOOKUP), unique=True),
    # A digest of the address at WeChat that the picture was fetched from.
    sa.Column("picture_source", Identifier(LOOKUP)),
    sa.Column("sealed_by", Identifier(KEY_ID)),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Index(None, "sealed_by", "follower_id"),
)
