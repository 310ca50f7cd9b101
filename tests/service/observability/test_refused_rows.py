"""Errors of databases that quote a refused row are not logged with the row."""

import logging
import sys
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from service.observability import logs
from service.storage.database import Database

OPENID = "oCanaryOpenid"
TABLE = sa.Table("canaries", sa.MetaData(), sa.Column("person", sa.String(40), primary_key=True))


@pytest.mark.parametrize("row", [OPENID, OPENID * 9, OPENID.encode()], ids=["twice", "too long", "bytes"])
async def test_a_refused_row_is_not_quoted(database: Database, row: Any) -> None:
    """Red when `_Formatter.formatException` is the parent's: not on SQLite, which quotes nothing."""
    async with database.writing() as connection:
        await connection.run_sync(TABLE.create)
        await connection.execute(sa.insert(TABLE).values(person=OPENID))
    try:
        async with database.writing() as connection:
            await connection.execute(sa.text("INSERT INTO canaries VALUES (:row)"), {"row": row})
    except DBAPIError:
        record = logging.LogRecord("x", logging.ERROR, "x", 1, "failed", (), sys.exc_info())
        line = logs._Formatter().format(record)
        assert OPENID not in line
        assert "sqlalchemy.exc." in line
    finally:
        async with database.writing() as connection:
            await connection.run_sync(TABLE.drop)
