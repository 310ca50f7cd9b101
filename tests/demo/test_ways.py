"""The page of ways to sign in: red when it shows others than the client has, or another client's bindings."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from html import unescape

import pytest
from harness import ACCOUNT, SECRETS, WEBSITE, World, client
from shopper import Gateway, Open, Visit

from demo.pages import KINDS
from demo.scanbind import Client
from demo.shop import DONE

CLIENTS = {"all": Client("shop", SECRETS["shop"]), "website": Client("club", SECRETS["club"])}
WECHAT = "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0.54"
WAITING, NOTICE, BOUND, OFFER, JOIN = (
    f'data-testid="{name}"' for name in ("wechat-waiting", "notice", "binding", "connect", "phone-join")
)
METHOD = re.compile(r'<scanbind-qr [^>]*\bmethod="([^"]*)"')


@pytest.fixture
async def town(make: Callable[..., Awaitable[World]], shop_port: int) -> World:
    """A world with a client of all kinds and one that has a website application alone."""
    here = f"http://127.0.0.1:{shop_port}"
    shop = {"origins": [here, "https://shop.example"], "return_urls": [here + DONE], "apps": ["site"]}
    return await make(
        official={"main": replace(ACCOUNT, oauth="base")},
        apps={"site": WEBSITE},
        clients={
            "shop": client("shop", methods=["scan", "link", "passcode", "website", "h5"], **shop),
            "club": client("club", methods=["website"], **{**shop, "accounts": []}),
        },
    )


@pytest.fixture
async def visit(town: World, open_shop: Open, shop_port: int) -> Visit:
    return await open_shop(town.url, port=shop_port, clients=CLIENTS)


def ways(text: str) -> list[str]:
    return re.findall(r'data-testid="way" data-method="(\w+)"', text)


def opened(text: str) -> list[str]:
    return re.findall(r'href="/login\?method=(\w+)" data-testid="way-open"', text)


async def test_the_ways_are_those_of_the_client_in_its_order(visit: Visit) -> None:
    text = await visit.get("/ways")
    assert ways(text) == ["scan", "link", "passcode", "website", "h5"]
    assert opened(text) == ["scan", "link", "passcode", "website"]  # h5 only inside WeChat
    text = await visit.post("/ways", kind="website")
    assert ways(text) == opened(text) == ["website"]


async def test_inside_wechat_the_button_of_h5_leads_to_the_login_there(visit: Visit) -> None:
    assert "h5" in opened(await visit.get("/ways", **{"User-Agent": WECHAT}))
    text = await visit.get("/login?method=h5", **{"User-Agent": WECHAT})
    assert 'data-testid="h5"' in text
    assert "<scanbind-qr" not in text


async def test_inside_wecom_is_not_inside_wechat(visit: Visit) -> None:
    text = await visit.get("/login", **{"User-Agent": f"{WECHAT} wxwork/4.1"})
    assert "<scanbind-qr" in text


async def test_inside_wechat_a_client_without_h5_shows_the_element(visit: Visit) -> None:
    await visit.post("/ways", kind="website")
    assert "<scanbind-qr" in await visit.get("/login", **{"User-Agent": WECHAT})


async def test_a_button_opens_the_login_with_its_method_alone(visit: Visit) -> None:
    assert METHOD.findall(await visit.get("/login?method=link")) == ["link"]
    assert METHOD.findall(await visit.get("/login")) == []


async def test_another_language_keeps_the_method(visit: Visit) -> None:
    [link] = re.findall(r'<a href="([^"]*lang=zh)"', await visit.get("/login?method=link&lang=en"))
    assert METHOD.findall(await visit.get("/login" + unescape(link))) == ["link"]
    assert 'href="?method=%22%3E&amp;lang=' in await visit.get("/login?method=%22%3E")


@pytest.mark.parametrize("method", ["wecom", "", "x", "<b>", 'link" autofocus="', "LINK"])
async def test_a_method_that_the_client_lacks_is_left_out(visit: Visit, method: str) -> None:
    answer = await visit.http.get("/login", params={"method": method})
    assert METHOD.findall(await answer.text()) == []


async def test_the_switch_offers_the_kinds_that_the_shop_has(visit: Visit) -> None:
    text = await visit.get("/ways")
    assert re.findall(r'<option value="(\w+)"( selected)?', text) == [("all", " selected"), ("website", "")]
    text = await visit.post("/ways", kind="website")
    assert re.findall(r'<option value="(\w+)" selected', text) == ["website"]
    assert re.findall(r'<option value="(\w+)" selected', await visit.get("/ways")) == ["website"]


@pytest.mark.parametrize("kind", ["company", "nothing", "", "<b>"])
async def test_a_kind_that_the_shop_lacks_changes_nothing(visit: Visit, kind: str) -> None:
    assert re.findall(r'<option value="(\w+)" selected', await visit.post("/ways", kind=kind)) == ["all"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_a_shop_with_one_kind_works_and_names_it(open_shop: Open, town: World, kind: str, lang: str) -> None:
    visit = await open_shop(town.url, clients={kind: CLIENTS["all"]})
    [label] = re.findall(rf'<option value="{kind}" selected>([^<]+)<', await visit.get(f"/ways?lang={lang}"))
    assert bool(re.search(r"[A-Za-z]", label)) == (lang == "en")


async def test_the_login_is_for_the_client_of_the_kind(visit: Visit, town: World) -> None:
    await visit.post("/ways", kind="website")
    assert 'client-id="club"' in await visit.get("/login")
    await visit.post("/ways", kind="all")
    assert 'client-id="shop"' in await visit.get("/login")


async def test_a_switch_signs_no_user_out_and_shows_the_bindings_of_its_client(visit: Visit, town: World) -> None:
    await town.bound("anna")
    assert BOUND in await visit.post("/login", name="anna", password="anna")
    before = visit.cookie
    await visit.post("/ways", kind="website")
    assert visit.cookie == before
    text = await visit.get("/")
    assert 'data-testid="whoami">anna<' in text
    assert BOUND not in text
    await visit.post("/ways", kind="all")
    assert BOUND in await visit.get("/")


async def test_the_kind_stays_over_sign_in_and_sign_out(visit: Visit) -> None:
    await visit.post("/ways", kind="website")
    await visit.post("/login", name="anna", password="anna")
    assert ways(await visit.get("/ways")) == ["website"]
    await visit.post("/logout")
    assert ways(await visit.get("/ways")) == ["website"]


async def test_a_scanned_wechat_waits_for_its_own_client(visit: Visit, town: World, gateway: Gateway) -> None:
    """Red when the registration of one client is offered, or sent, to another."""
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    assert WAITING not in await visit.post("/ways", kind="website")
    await visit.post("/phone", number="13812345678")
    assert JOIN not in await visit.get("/phone")
    assert OFFER not in await visit.post("/phone/code", code=gateway.code, join="on")
    await visit.post("/ways", kind="all")
    assert OFFER in await visit.get("/")
    assert BOUND in await visit.post("/settings/wechat/scanned")


async def test_users_are_told_to_sign_out_before_they_try_a_way(visit: Visit) -> None:
    await visit.post("/login", name="anna", password="anna")
    text = await visit.get("/ways")
    assert 'data-testid="logout"' in text
    assert ways(text)
    assert opened(text) == []


async def test_the_ways_are_asked_for_once(visit: Visit, town: World) -> None:
    for _ in range(3):
        await visit.get("/ways")
    metrics = await (await town.call("GET", "/metrics")).text()
    assert 'scanbind_tickets_total{client="shop",purpose="login",via="backend"} 1.0' in metrics


async def test_an_unreachable_scanbind_is_told_and_asked_again(visit: Visit, town: World) -> None:
    scanbind = visit.forms.scanbind["all"]
    scanbind.url = "http://127.0.0.1:9"
    text = await visit.get("/ways")
    assert NOTICE in text
    assert ways(text) == []
    scanbind.url = town.url
    text = await visit.get("/ways")
    assert NOTICE not in text
    assert ways(text)
