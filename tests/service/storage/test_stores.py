"""Both stores open as the settings name them, and a failing check closes what was opened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from models.errors import StoreUnavailable
from service.config.settings import Settings, validate
from service.storage import database as databases
from service.storage.database import Database
from service.storage.stores import open_database, open_redis, open_stores


def settings(folder: Path, redis_url: str = "embedded") -> Settings:
    return validate({"data_dir": str(folder), "redis": {"url": redis_url}, "secret_key": "k" * 40})


async def test_the_embedded_database_is_ready_when_it_is_open(tmp_path: Path) -> None:
    async with open_database(settings(tmp_path)) as database:
        await database.check_schema()
    assert (tmp_path / "scanbind.sqlite3").exists()


async def test_a_failing_check_is_raised_with_its_setting_and_closes_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(_: Database) -> None:
        raise StoreUnavailable("no tables")

    opened, closed, connect = [], [], databases.connect

    @asynccontextmanager
    async def watched(url: str, **options: Any) -> AsyncIterator[Database]:
        try:
            async with connect(url, **options) as one:
                opened.append(one)
                yield one
        finally:
            closed.append(one)

    monkeypatch.setattr(databases, "connect", watched)
    with pytest.raises(StoreUnavailable) as caught:
        async with open_database(settings(tmp_path), check=failing):
            pytest.fail("it was opened")
    assert caught.value.detail == "database.url: no tables"
    assert opened == closed != []


async def test_an_error_while_the_database_is_used_keeps_its_own_words(tmp_path: Path) -> None:
    """Red when the `yield` stands inside the `try`."""
    with pytest.raises(StoreUnavailable) as caught:
        async with open_database(settings(tmp_path)):
            raise StoreUnavailable("later")
    assert caught.value.detail == "later"


async def test_no_check_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    async with open_database(settings(tmp_path), check=None) as database:
        assert database


async def test_a_redis_elsewhere_starts_no_embedded_one(tmp_path: Path, redis_url: str) -> None:
    @asynccontextmanager
    async def unwanted(_: Path) -> AsyncIterator[str]:
        pytest.fail("an embedded Valkey was started")
        yield ""

    async with open_redis(settings(tmp_path, redis_url), embedded=unwanted) as client:
        assert await client.ping()


async def test_the_embedded_redis_runs_in_the_data_folder(tmp_path: Path, redis_url: str) -> None:
    folders = []

    @asynccontextmanager
    async def embedded(folder: Path) -> AsyncIterator[str]:
        folders.append(folder)
        yield redis_url

    async with open_redis(settings(tmp_path), embedded=embedded) as client:
        assert await client.ping()
    assert folders == [tmp_path]


async def test_both_stores_open_beside_a_running_service(tmp_path: Path) -> None:
    """Red when `open_stores` starts a Valkey of its own: the service's keeps the folder locked."""
    used = settings(tmp_path)
    async with open_database(used), open_redis(used) as running:
        await running.set("kept", "here")
        async with open_stores(used, check=Database.check_schema) as stores:
            assert await stores.redis.get("kept")
            await stores.database.check_schema()
