"""How values are kept in the columns of every table, and the metadata that holds all tables.

Two rules: identifiers are compared byte for byte on every database (no folding of case, accents or trailing
spaces), and an instant is a whole number of milliseconds since 1970 in UTC.
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
SEALED, KEY_ID, CONSENT, EVENT, SHORTENED, DETAIL = 128, 16, 64, 32, 32, 256
"""How long each kind of text may be, in code points."""


def to_millisecond(at: datetime) -> datetime:
    """Return *at* as the database will give it back: in UTC, cut to the millisecond."""
    return _EPOCH + (at - _EPOCH) // _TICK * _TICK


def byte_text(length: int) -> TypeEngine[str]:
    """Return the column type that holds *length* code points and compares them as bytes.

    SQLite's own collation is BINARY already; "C" is PostgreSQL's. MySQL folds case and accents and ignores
    trailing spaces in every character type (even utf8mb4_bin), so there it is bytes.
    """
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(length * _UTF8_BYTES), *_MYSQL)
    )


class Identifier(TypeDecorator[str]):
    """Text compared as bytes, on every database."""

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
    """One word of a StrEnum, kept as text and given back as the word it is."""

    impl = Identifier
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__(16)
        self.words = words

    @override
    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        return None if value is None else value.value

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        return None if value is None else self.words(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as milliseconds since 1970; naive ones are refused."""

    impl = sa.BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _TICK

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _TICK


# SQLite numbers rows by itself only where the key is declared INTEGER.
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def serial() -> sa.Column[int]:
    return sa.Column("id", _NUMBER, primary_key=True, autoincrement=True)


def follower(*, nullable: bool) -> sa.Column[int]:
    # No foreign key: what refers to somebody is erased, or let go, by name (service/identities/followers.py).
    return sa.Column("follower_id", _NUMBER, nullable=nullable, index=True)


metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
