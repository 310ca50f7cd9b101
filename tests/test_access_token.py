"""Runs every block of docs/access-token.md, over a real service.

Red when a command of the page fails or its answer has other fields, when a report on the page replaces no revoked
token, and when the setting on the page is misspelt.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from desk import Desk
from guide import Guide
from harness import ACCOUNT, World, client

PAGE: Final = Path(__file__).parent.parent / "docs" / "access-token.md"
EXAMPLE: Final = PAGE.parent.parent / "examples" / "wechatpy_session"
PASSWORD: Final = "password-of-the-shop"


async def test_the_page_works_from_top_to_bottom(
    make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = Guide(PAGE, {})
    shop = yaml.safe_load(guide.take("yaml"))["clients"]["shop"]
    world: World = await make(clients={"shop": client("shop", secret=PASSWORD, **shop)})
    desk = Desk(tmp_path, guide, world.http, world.url, world.wechat, "")
    tokens = world.sandbox.state().tokens

    guide.elsewhere = {"http://127.0.0.1:8080": world.url}
    read = guide.take("sh")
    told, shown = json.loads(await desk.run(read)), json.loads(guide.take("json"))
    assert told.keys() == shown.keys()
    assert shown["expires_in"] - 60 <= told["expires_in"] <= shown["expires_in"]

    asked = {"grant_type": "client_credential", "appid": ACCOUNT.appid, "secret": ACCOUNT.secret}
    tokens.stable(asked | {"force_refresh": True}, now=world.clock.seconds())
    guide.elsewhere["TOKEN"] = told["access_token"]
    assert await desk.run(guide.take("sh")) == ""
    assert tokens._stable
    assert json.loads(await desk.run(read))["access_token"] == tokens._stable.value

    monkeypatch.syspath_prepend(str(EXAMPLE))
    import scanbind_session

    names = vars(scanbind_session).copy()
    exec(guide.take("python"), names)
    assert await asyncio.to_thread(lambda: names["client"].access_token) == tokens._stable.value
    assert guide.left == []
