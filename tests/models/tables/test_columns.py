"""Column types: identifiers compare byte for byte, and instants are whole milliseconds in UTC.

Covers: models.tables.audit, models.tables.bindings, models.tables.commits, models.tables.identities,
models.tables.outbox, models.tables.portal, models.tables.profiles, models.tables.sealed_calls,
models.tables.tickets.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Dialect

from models import tables
from models.audit import AuditEvent
from models.binding import Change
from models.tables.columns import EVENT, Choice, Identifier, Instant, byte_text, metadata, to_millisecond

DIALECTS = [sqlite.dialect(), postgresql.dialect(), mysql.dialect()]
NOON = datetime(2026, 3, 1, 12, 0, 5, 678_999, tzinfo=UTC)


def columns() -> Iterator[sa.Column[object]]:
    assert tables
    for table in metadata.sorted_tables:
        yield from table.columns


def test_there_are_tables() -> None:
    assert len(metadata.sorted_tables) >= 8


def test_a_time_is_cut_to_the_millisecond_in_utc() -> None:
    cut = datetime(2026, 3, 1, 12, 0, 5, 678_000, tzinfo=UTC)
    assert to_millisecond(NOON) == cut
    beijing = to_millisecond(NOON.astimezone(timezone(timedelta(hours=8))))
    assert (beijing, beijing.tzinfo) == (cut, UTC)


def test_times_before_1970_are_cut_downwards_too() -> None:
    assert to_millisecond(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)).microsecond == 999_000


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_an_instant_comes_back_as_it_was_cut(dialect: Dialect) -> None:
    stored = Instant().process_bind_param(NOON, dialect)
    assert stored == 1_772_366_405_678
    assert Instant().process_result_value(stored, dialect) == to_millisecond(NOON)
    assert Instant().process_bind_param(None, dialect) is Instant().process_result_value(None, dialect) is None


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        Instant().process_bind_param(NOON.replace(tzinfo=None), DIALECTS[0])


def test_an_identifier_is_bytes_where_text_would_be_folded() -> None:
    """Red when MySQL is given text: it ignores case, accents and trailing spaces."""
    stored = {it.name: Identifier(64).process_bind_param("Ä ", it) for it in DIALECTS}
    assert stored == {"sqlite": "Ä ", "postgresql": "Ä ", "mysql": b"\xc3\x84 "}
    for dialect in DIALECTS:
        assert Identifier(64).process_result_value(stored[dialect.name], dialect) == "Ä "


def test_an_identifier_has_room_for_code_points_of_four_bytes() -> None:
    sizes = [str(byte_text(64).compile(dialect=it)) for it in DIALECTS]
    assert sizes == ["VARCHAR(64)", 'VARCHAR(64) COLLATE "C"', "VARBINARY(256)"]


def test_every_word_of_a_choice_fits_and_comes_back() -> None:
    choices = [column.type for column in columns() if isinstance(column.type, Choice)]
    assert choices
    for choice in choices:
        for word in choice.members:
            assert len(word.value) <= choice.impl_instance.length
            assert choice.process_result_value(choice.process_bind_param(word, DIALECTS[0]), DIALECTS[0]) is word


def test_every_audit_event_fits_its_column() -> None:
    assert max(len(word.value) for word in (*AuditEvent, *Change)) <= EVENT


def test_no_column_has_text_or_time_of_another_kind() -> None:
    """Red when a table is given `sa.String` or `sa.DateTime`, which databases compare and store differently."""
    kinds = {type(column.type) for column in columns()}
    assert not kinds & {sa.String, sa.Text, sa.Unicode, sa.DateTime, sa.TIMESTAMP}
