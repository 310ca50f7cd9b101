"""The doctor tells why an embedded store does not open, in the store's own words.

Red when `examine` treats StoreUnavailable as an unforeseen error: then only the name of its class is told.
"""

from pathlib import Path

import pytest
import sqlalchemy as sa

from service.config.settings import Database, Settings, validate
from service.doctor.finding import Finding
from service.doctor.report import examine
from service.storage.database import connect

REMEDY = "repair it or restore a backup, or set the address of another one"


def settings(data_dir: Path) -> Settings:
    return validate({"data_dir": str(data_dir), "server": {"public_url": "http://127.0.0.1:9"}})


async def test_a_file_that_is_no_database_is_told_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "scanbind.sqlite3"
    file.write_bytes(b"not a database" * 99)
    told = f"the database does not answer: {file}: file is not a database"
    assert Finding(False, "database", told, REMEDY) in await examine(settings(tmp_path))


async def test_a_valkey_whose_data_is_damaged_is_told_with_the_place_of_its_log(tmp_path: Path) -> None:
    journal = tmp_path / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    journal.parent.mkdir(parents=True)
    journal.write_text("damaged\n")
    told = f"the embedded Valkey did not start; see {tmp_path / 'valkey' / 'valkey.log'}"
    assert Finding(False, "redis", told, REMEDY) in await examine(settings(tmp_path))


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "by address"])
async def test_a_database_of_a_newer_scanbind_wants_that_version(embedded: bool, tmp_path: Path) -> None:
    async with connect("embedded", data_dir=tmp_path) as opened, opened.writing() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    url = "embedded" if embedded else f"sqlite:///{tmp_path / 'scanbind.sqlite3'}"
    config = settings(tmp_path).model_copy(update={"database": Database(url=url)})
    [told] = [str(one) for one in await examine(config) if one.subject == "database" and not one.ok]
    assert told == (
        "failed   database: the database is at revision 9999, which this version of scanbind does not know: "
        "start the newer version, or restore a backup\n"
        "         remedy: install the version of scanbind that migrated it, or a newer one"
    )
