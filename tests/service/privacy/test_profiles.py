"""Name and picture are part of what is exported and erased, by person and by user, encrypted or not.

Red when the export leaves out the table of profiles or its picture, and when an erasure leaves a row or a picture.
"""

import base64
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness import WEBSITE, problem
from profile_sign_in import Town
from profile_sign_in import town as starting
from redirecting import WEBSITE_LOGIN

KEY = "an encryption key of the tests and long enough"
NAME = "canary 安娜"


@pytest.fixture(params=[[], [KEY]], ids=["clear", "sealed"])
async def town(request: pytest.FixtureRequest, make: Callable[..., Any]) -> Town:
    """A user whose WeChat tells name and picture."""
    town = await starting(make, WEBSITE_LOGIN, settings={"encryption": {"keys": request.param}})
    town.world.sandbox.change_profile(town.person, nickname=NAME)
    return town


def subjects(town: Town) -> dict[str, tuple[str, ...]]:
    return {
        "person": ("--openid", town.person.openid(WEBSITE.appid)),
        "user": ("--user", "42", "--client", "shop"),
    }


@pytest.mark.parametrize("subject", ["person", "user"])
async def test_the_export_contains_both(town: Town, command: Any, subject: str) -> None:
    profile = (await town.bound("42"))["profile"]
    status, told, _ = await command("export", *subjects(town)[subject])
    [row] = told["profiles"]
    assert (status, row["nickname"]) == (0, NAME)
    assert base64.b64decode(row["picture"]) == await (await town.picture(profile["picture"])).read()
    assert set(row) == {"openid", "nickname", "picture", "at"}


@pytest.mark.parametrize("subject", ["person", "user"])
async def test_the_erasure_leaves_neither(town: Town, command: Any, tmp_path: Path, subject: str) -> None:
    address = (await town.bound("42"))["profile"]["picture"]
    status, told, _ = await command("erase", *subjects(town)[subject], "--yes")
    assert (status, told["erased"]["database"]["profiles"]) == (0, 1)
    await problem(await town.picture(address), 404, "not-found")
    with closing(sqlite3.connect(tmp_path / "scanbind.sqlite3")) as sql:
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("scanbind.sqlite3*"))
    assert NAME.encode() not in stored
