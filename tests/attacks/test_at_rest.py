"""Whoever gets hold of the database's files learns no openid and no unionid while they are sealed."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from harness import World

from service.config.settings import Encryption
from service.identities import reencryption

KEY = "an encryption key of the tests and long enough"
UNIONID = "uCanary0123456789"


async def _life(world: World) -> str:
    """Let somebody bind, log in, refuse and move to another user; return their openid."""
    person = await world.person(unionid=UNIONID)
    page = await world.bind("42")
    await world.scan(person, page)
    login = await world.login()
    await world.scan(person, login)
    told = await (await world.exchange((await login.poll())["code"])).json()
    async with asyncio.timeout(10):  # what WeChat tells of them is fetched beside all this
        while (await world.bindings("42"))[0]["unionid"] != UNIONID:
            await asyncio.sleep(0.02)
    assert (await world.site("DELETE", "/v1/bindings/42")).status == 204
    await world.scan(person, await world.bind("43"))
    openid: str = told["openid"]
    return openid


def _files(data_dir: Path) -> bytes:
    files = list(data_dir.glob("scanbind.sqlite3*"))
    assert files
    return b"".join(file.read_bytes() for file in files)


def _compact(data_dir: Path) -> None:
    """Do what operators are told to do (docs/operations.md)."""
    with closing(sqlite3.connect(data_dir / "scanbind.sqlite3", timeout=60, isolation_level=None)) as connection:
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            connection.execute(statement).fetchall()


async def test_no_file_of_the_database_ever_holds_a_sealed_name(make: Callable[..., Any]) -> None:
    """Red when `Identities.names` keeps the openid or the unionid as it is."""
    world: World = await make(encryption={"keys": [KEY]})
    openid = await _life(world)
    files = _files(world.settings.data_dir)
    assert b"shop" in files
    assert openid.encode() not in files
    assert UNIONID.encode() not in files


async def test_turning_encryption_on_leaves_no_name_once_the_files_are_compacted(make: Callable[..., Any]) -> None:
    """Red when `Identities.names` leaves one of the columns as it is."""
    world: World = await make()
    openid = await _life(world)
    data_dir = world.settings.data_dir
    settings = world.settings.model_copy(update={"encryption": Encryption(keys=[KEY])})
    assert openid.encode() in _files(data_dir)
    assert str(await reencryption.encrypt(settings)) == "1 people encrypted, 0 left"
    _compact(data_dir)
    files = _files(data_dir)
    assert b"shop" in files
    assert openid.encode() not in files
    assert UNIONID.encode() not in files
