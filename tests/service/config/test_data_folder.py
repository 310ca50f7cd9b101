"""A folder that cannot be used is told by its path, whichever part of the service needs it first.

Red when a part passes on the system's own words: "File exists" does not say that a folder is wanted.
"""

from pathlib import Path

import pytest

from service.config.settings import ConfigError, Settings, validate
from service.crypto.secret_key_file import resolve_secret_keys
from service.storage import database, embedded_valkey


async def open_database(settings: Settings) -> None:
    async with database.connect("embedded", data_dir=settings.data_dir):
        pass


async def open_valkey(settings: Settings) -> None:
    async with embedded_valkey.valkey(settings.data_dir):
        pass


async def read_key(settings: Settings) -> None:
    resolve_secret_keys(settings)


PARTS = pytest.mark.parametrize("use", [open_database, open_valkey, read_key])


@PARTS
async def test_a_file_in_its_place_is_told_to_be_no_folder(use: object, tmp_path: Path) -> None:
    place = tmp_path / "data"
    place.write_text("")
    assert await fault_of(use, place) == f"data_dir: {place} is not a folder"


@PARTS
async def test_so_is_a_link_that_leads_nowhere(use: object, tmp_path: Path) -> None:
    place = tmp_path / "data"
    place.symlink_to(tmp_path / "missing" / "data")
    assert await fault_of(use, place) == f"data_dir: {place} is not a folder"


async def test_so_is_a_file_in_the_place_of_a_folder_within(tmp_path: Path) -> None:
    (tmp_path / "valkey").write_text("")
    assert await fault_of(open_valkey, tmp_path) == f"data_dir: {tmp_path / 'valkey'} is not a folder"


@pytest.mark.parametrize("use", [open_database, open_valkey])
async def test_other_faults_keep_the_words_of_the_system(use: object, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "data"
    assert await fault_of(use, place) == f"data_dir: {place} cannot be written: Not a directory"


async def fault_of(use: object, place: Path) -> str:
    assert callable(use)
    with pytest.raises(ConfigError) as caught:
        await use(validate({"data_dir": str(place)}))
    return str(caught.value)
