"""The phone page is complete and works under a strict policy."""

import re
from typing import Any

import pytest

from sandbox.account import OfficialAccount
from sandbox.announcement import picture_path
from sandbox.app import make_app
from sandbox.phone_page import WEB

TEST_IDS = (
    "user-select",
    "new-user",
    "scan",
    "follow",
    "unfollow",
    "chat",
    "chat-input",
    "chat-send",
)


@pytest.fixture
async def client(aiohttp_client: Any, account: OfficialAccount) -> Any:
    return await aiohttp_client(make_app([account], public_url="http://phone.test"))


@pytest.mark.parametrize("path", ["/", "/q/02abc", "/r/gh_0123456789ab"])
async def test_the_phone_opens_at_home_and_at_a_codes_address(client: Any, path: str) -> None:
    response = await client.get(path)
    page = await response.text()
    assert (response.status, response.content_type) == (200, "text/html")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    for test_id in TEST_IDS:
        assert f'data-testid="{test_id}"' in page


async def test_the_picture_of_an_accounts_own_code_can_be_downloaded(
    client: Any, account: OfficialAccount
) -> None:
    response = await client.get(picture_path(account.gh_id))
    assert response.content_type == "image/png"
    posted = await client.post(
        "/sandbox/api/picture", data=await response.read(), headers={"Content-Type": "image/png"}
    )
    assert (await posted.json())["code"]["id"] == account.gh_id
    assert (await client.get(picture_path("gh_unknown"))).status == 404


async def test_every_file_that_the_page_names_exists(client: Any) -> None:
    pages = [path.read_text(encoding="utf-8") for path in WEB.iterdir()]
    named = {name for page in pages for name in re.findall(r"/sandbox/web/[\w.]+", page)}
    imported = {f"/sandbox/web/{name}" for page in pages for name in re.findall(r'from "\./([\w.]+)"', page)}
    assert {"/sandbox/web/phone.js", "/sandbox/web/phone.css"} <= named
    for path in named | imported:
        response = await client.get(path)
        assert response.status == 200, path
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_is_inline_and_nothing_parses_text_as_html() -> None:
    page = (WEB / "phone.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", page)
    for script in WEB.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script.read_text())


async def test_elsewhere_is_nothing(client: Any) -> None:
    for path in ("/q/nothing", "/sandbox/web/phone.html", "/sandbox/web/../account.py"):
        assert (await client.get(path)).status == 404
