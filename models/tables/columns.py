"""The column types of all tables, and their metadata.

Two rules: every database compares identifiers byte for byte (no folding of case, accents or trailing spaces), and
an instant is a whole number of milliseconds since 1970 in UTC.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override

E = TypeVar("E", bound=StrEnum)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(milliseconds=1)
_MYSQL: Final = ("mysql", "mariadb")
_UTF8_BYTES: Final = 4  # at most, for one code point
NAME, USER_ID, OPENID, TICKET, SESSION, STATE, URL, RETURN_URL = 64, 128, 64, 64, 128, 256, 512, 2048
SEALED, KEY_ID, CONSENT, EVENT, SHORTENED, DETAIL, APPID, LOOKUP = 128, 16, 64, 32, 32, 256, 64, 32
"""Maximum length of each kind of text, in code points."""


def to_millisecond(at: datetime) -> datetime:
    """Return *at* as the database returns it: in UTC, truncated to the millisecond."""
    return _EPOCH + (at - _EPOCH) // _TICK * _TICK


def byte_text(length: int) -> TypeEngine[str]:
    """Return a column type for *length* code points that is compared as bytes.

    SQLite's default collation is BINARY; PostgreSQL's is named "C". MySQL folds case and accents and ignores
    trailing spaces in every character type (even utf8mb4_bin), so the type there is VARBINARY.
    """
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(length * _UTF8_BYTES), *_MYSQL)
    )


class Identifier(TypeDecorator[str]):
    """Text that every database compares as bytes."""

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return dialect.type_descriptor(byte_text(self.length))

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | bytes | None:
        return value.encode() if value is not None and dialect.name in _MYSQL else value

    @override
    def process_result_value(self, value: str | bytes | None, dialect: Dialect) -> str | None:
        return value.decode() if isinstance(value, bytes) else value


class Choice(TypeDecorator[E]):
    """A member of a StrEnum, stored as its text."""

    impl = Identifier
    cache_ok = True

    def __init__(self, members: type[E]) -> None:
        super().__init__(16)
        self.members = members

    @override
    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        return None if value is None else value.value

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        return None if value is None else self.members(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as milliseconds since 1970. A naive one raises TypeError."""

    impl = sa.BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _TICK

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _TICK


# SQLite assigns row ids only to a key that is declared INTEGER.
NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def serial() -> sa.Column[int]:
    return sa.Column("id", NUMBER, primary_key=True, autoincrement=True)


def follower(*, nullable: bool, primary_key: bool = False) -> sa.Column[int]:
    # No foreign key: erasure itself deletes or clears what refers to a follower (service/privacy/erasure.py).
    return sa.Column(
        "follower_id", NUMBER, nullable=nullable, primary_key=primary_key, autoincrement=False, index=True
    )


metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
