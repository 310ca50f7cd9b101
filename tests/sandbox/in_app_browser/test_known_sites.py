"""The browser inside WeChat is no proxy: it opens pages of sites that the sandbox knows.

Red when another machine can reach a port of this one, or the control API as if it came from this machine.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from authorizing import SITE
from inside_wechat import Inside, Site
from yarl import URL

from sandbox.account import OfficialAccount
from sandbox.app import make_app
from sandbox.in_app_browser import browser


@pytest.fixture
def include(account: OfficialAccount) -> Callable[..., bool]:
    own = replace(account, oauth_domain="oauth.test", callback_url="http://127.0.0.1:8080/wechat/main")
    app = make_app([own], [SITE], public_url="http://phone.test", sites=["http://shop.test:8081"])

    def ask(url: str, *, near: bool) -> bool:
        return app[browser.KEY].sites.include(URL(url), near=near)

    return ask


@pytest.mark.parametrize("near", [True, False])
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/metrics", "http://shop.test:8081/", "http://shop.test:8081/a?b"]
)
def test_callbacks_and_given_sites_are_known_to_all(include: Callable[..., bool], url: str, near: bool) -> None:
    assert include(url, near=near)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9000/", "https://shop.test/", "https://oauth.test/", "http://login.test:8000/"],
)
def test_other_ports_and_domains_are_known_to_this_machine_alone(include: Callable[..., bool], url: str) -> None:
    assert [include(url, near=near) for near in (True, False)] == [True, False]


@pytest.mark.parametrize(
    "url",
    ["https://elsewhere.example/", "http://localhost:8080/", "http://www.login.test/", "http://login.test.x/"],
)
def test_other_hosts_are_unknown(include: Callable[..., bool], url: str) -> None:
    assert not include(url, near=True)


@pytest.mark.parametrize(("language", "says"), [("en", "This page cannot be opened"), ("zh_CN", "无法打开此网页")])
async def test_a_page_elsewhere_is_refused_in_the_persons_language(
    inside: Inside, language: str, says: str
) -> None:
    response = await inside.open(await inside.wechat.anna(language=language), "https://elsewhere.example/a?b")
    text = await response.text()
    assert (response.status, says in text, "https://elsewhere.example" in text) == (403, True, True)


async def test_another_machine_reaches_no_port_of_this_one(
    inside: Inside, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.shows("/")
    anna = await inside.wechat.anna()
    assert (await inside.open(anna, "/")).status == 200
    monkeypatch.setattr(browser, "is_near", lambda _: False)
    assert (await inside.open(anna, "/")).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sandbox/api/callback",
        "/connect/../sandbox/api/callback",
        "/connect/%2e%2e/sandbox/api/callback",
        "/sandbox/web/../api/callback",
        "/inside/{user}/{own}/connect/oauth2/authorize",
    ],
)
async def test_the_sandboxs_own_pages_are_those_of_wechat_alone(inside: Inside, path: str) -> None:
    anna = await inside.wechat.anna()
    for origin in ("http://phone.test", inside.origin):
        address = origin + path.format(user=anna.id, own=origin.replace("://", "/"))
        response = await inside.open(anna, address, "POST", json={"url": "http://127.0.0.1:1/"})
        assert response.status in (403, 404), address
    assert inside.wechat.account.callback_url == "http://service.test/wechat"


@pytest.mark.parametrize(
    "address",
    [
        "/inside/",
        "/inside/{user}/ftp/127.0.0.1/",
        "/inside/{user}/http//",
        "/inside/{user}/http/127.0.0.1:99999/",
        "/inside/{user}/http/user:secret@127.0.0.1/",
        "/inside/u_none/http/127.0.0.1/",
    ],
)
async def test_an_address_of_no_page_or_no_person_is_not_found(inside: Inside, address: str) -> None:
    anna = await inside.wechat.anna()
    response = await inside.client.get(address.format(user=anna.id))
    assert (response.status, "This page cannot be opened" in await response.text()) == (404, True)


async def test_the_phone_page_is_told_the_given_sites(aiohttp_client: Any, account: OfficialAccount) -> None:
    app = make_app([account], public_url="http://phone.test", sites=["http://shop.test:8081"])
    client = await aiohttp_client(app)
    response = await client.get("/sandbox/api/sites")
    assert await response.json() == {"sites": ["http://shop.test:8081"]}
