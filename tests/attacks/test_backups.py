"""Backups are taken while people log in and bind, and are restored here and on another machine.

Red when a backup lacks a binding that was acknowledged before it began, when a database restored from one is not
usable, and when a restore makes valid again what was used, cancelled or opened after the backup.
"""

import asyncio
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness import ORIGIN, basic, client
from kill_traffic import Traffic
from serving import serving
from visitors import Visitors, scanbind, visitors

BACKUPS = 4
SETTINGS: dict[str, Any] = {
    "clients": {
        "shop": client("shop") | {"name": {"zh": "商城", "en": "Shop"}},
        "club": client("club", confirm={"login": "choose", "bind": "tap"})
        | {"name": {"zh": "俱乐部", "en": "Club"}},
    },
    "limits": {"tickets_per_address": 0, "tickets_per_client": 0},
}
SENDERS = 5

pytestmark = pytest.mark.timeout(300)


async def test_a_backup_under_load_has_every_binding_made_before_it_began(tmp_path: Path) -> None:
    acknowledged = list[set[str]]()
    async with visitors() as they, serving(tmp_path, they.api, **SETTINGS) as service:
        await they.arrive(service)
        traffic = Traffic(they.http, they.sandbox, seed=1, url=service.url)
        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(traffic.run())
            for number in range(BACKUPS):
                before = traffic.sender.answered + 20
                await traffic.sender.until(lambda least=before: traffic.sender.answered >= least, seconds=60)
                acknowledged.append({it.user for it in traffic.visits if it.told == "bound" or it.registered})
                await scanbind(tmp_path, "backup", str(tmp_path / f"{number}.tar"))
                await scanbind(tmp_path, "verify", str(tmp_path / f"{number}.tar"))
            traffic.ended = True
    assert acknowledged[-1]
    for number, users in enumerate(acknowledged):
        assert users <= bound_users(tmp_path / f"{number}.tar"), f"backup {number}"
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "config.yaml").write_text(
        (tmp_path / "config.yaml").read_text().replace(f"{tmp_path}/var", f"{elsewhere}/var")
    )
    await scanbind(elsewhere, "restore", str(tmp_path / f"{BACKUPS - 1}.tar"))
    async with visitors() as they, serving(elsewhere, they.api, **SETTINGS) as service:
        await they.arrive(service)
        for user in acknowledged[-1]:
            path = f"/v1/bindings/{user}"
            found = [(await they.call("GET", path, headers=basic(site)))[1] for site in SETTINGS["clients"]]
            assert any(told["bindings"] for told in found), user


def bound_users(backup: Path) -> set[str]:
    with tarfile.open(backup) as opened:
        content = opened.extractfile("scanbind.sqlite3")
        assert content
        with closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(content.read())
            return {row[0] for row in database.execute("SELECT user_id FROM bindings")}


async def test_a_restore_makes_nothing_valid_again(tmp_path: Path) -> None:
    async with visitors() as they:
        async with serving(tmp_path, they.api) as service:
            await they.arrive(service)
            ended = await prepare(they)
            await scanbind(tmp_path, "backup", str(tmp_path / "backup.tar"))
            await use_up(they, ended)
        await scanbind(tmp_path, "restore", str(tmp_path / "backup.tar"), "--force")
        async with serving(tmp_path, they.api) as service:
            await they.arrive(service)
            await check_invalid(they, ended)
            told = await they.log_in("bob")
            assert (told["outcome"], told["user_id"]) == ("login", "bob"), "bound before the backup"
            assert (await they.log_in("carl"))["outcome"] == "register", "bound after the backup"


async def prepare(they: Visitors) -> dict[str, Any]:
    """Do what a backup has: a user, an unused code and registration, an open ticket and a portal link."""
    await they.bind("bob")
    status, session = await they.site("POST", "/v1/portal-sessions", {"user_id": "bob"})
    assert status == 201, session
    return {
        "code": await they.code("anna"),
        "registration": (await they.log_in("carl"))["registration"],
        "page": await they.page(),
        "bind": await they.page(user_id="dora"),
        "portal": session,
    }


async def use_up(they: Visitors, ended: dict[str, Any]) -> None:
    """Use, cancel and open all of it."""
    assert (await they.exchange(ended["code"]))[0] == 200
    carl = {"user_id": "carl", "registration": ended["registration"]}
    assert (await they.site("POST", "/v1/bindings", carl))[0] == 201
    for made in (ended["page"], ended["bind"]):
        assert (await they.status(made, "DELETE"))[0] == 204
    assert (await open_portal(they, ended))[0] == 200


async def open_portal(they: Visitors, ended: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    token = ended["portal"]["token"]
    path = f"/v1/portal-sessions/{token.partition('.')[0]}/open"
    return await they.call("POST", path, headers={"Authorization": f"Bearer {token}", "Origin": ORIGIN})


async def check_invalid(they: Visitors, ended: dict[str, Any]) -> None:
    status, told = await they.exchange(ended["code"])
    assert (status, told.get("type")) == (400, "/problems/invalid-code"), "a used code"
    carl = {"user_id": "carl", "registration": ended["registration"]}
    status, told = await they.site("POST", "/v1/bindings", carl)
    assert (status, told.get("type")) == (400, "/problems/invalid-code"), "a used registration"
    for made in (ended["page"], ended["bind"]):
        await they.sandbox.scan(await they.person("dora"), made["qr_url"])
        assert (await they.status(made))[0] == 404, "a cancelled ticket"
    assert (await they.site("GET", "/v1/bindings/dora"))[1]["bindings"] == []
    assert (await open_portal(they, ended))[0] == 404, "an opened portal link"
