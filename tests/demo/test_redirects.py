"""The shop's logins on WeChat's own pages: at the website application, and inside WeChat.

Red when the shop takes a code that came with another visitor's state, or uses such a code up.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from harness import ACCOUNT, WEBSITE, World, client
from shopper import Open, Visit
from wechat_browser import browsing
from yarl import URL

from sandbox.people import Person

NOTICE, WAITING, QR, WEBSITE_BUTTON, H5_BUTTON, SCRIPT = (
    *(f'data-testid="{name}"' for name in ("notice", "wechat-waiting")),
    *("<scanbind-qr", 'value="website"', 'value="h5"', "/widget.js"),
)
DONE = "/login/wechat/done"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0 Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/130.0 Mobile Safari/537.36"
WECHAT = f"{PHONE} MicroMessenger/8.0.54"


@dataclass
class Town:
    """A shop whose client has all methods, and the world that it is in."""

    world: World
    visit: Visit

    async def returned(self, method: str, person: Person) -> str:
        """Leave the shop by a button and let the person allow what is asked; return where WeChat leads back to."""
        form = {"method": method}
        answer = await self.visit.http.post("/login/wechat/start", data=form, allow_redirects=False)
        async with browsing(self.world, person if method == "h5" else None) as browser:
            arrived = await browser.open(answer.headers["Location"])
            if arrived.consent:
                arrived = await browser.allow(person)
        assert arrived.url.with_query(None) == self.visit.http.make_url(DONE)
        return arrived.url.path_qs


@pytest.fixture
async def town(make: Callable[..., Awaitable[World]], open_shop: Open, shop_port: int) -> Town:
    shop = f"http://127.0.0.1:{shop_port}"
    about = {"apps": ["site"], "methods": ["scan", "website", "h5"], "return_urls": [shop + DONE]}
    world = await make(
        official={"main": replace(ACCOUNT, oauth="base")},
        apps={"site": WEBSITE},
        clients={"shop": client("shop", origins=[shop], **about)},
    )
    return Town(world, await open_shop(world.url, port=shop_port))


@pytest.mark.parametrize("method", ["website", "h5"])
async def test_a_newcomer_registers_and_logs_in_by_a_redirect(town: Town, method: str) -> None:
    person = await town.world.person(following=False)
    assert WAITING in await town.visit.get(await town.returned(method, person))
    assert "whoami" in await town.visit.post("/signup", name="carol", password="")
    await town.visit.post("/logout")
    before = await town.visit.get("/login")
    assert "whoami" not in before
    cookie = town.visit.cookie
    assert 'data-testid="whoami">carol<' in await town.visit.get(await town.returned(method, person))
    assert town.visit.cookie != cookie


async def test_a_code_for_another_visitors_state_is_refused_and_not_used_up(town: Town) -> None:
    back = URL(await town.returned("h5", await town.world.person()))
    for state in ("another", "", "né"):
        assert NOTICE in await town.visit.get(str(back.update_query(state=state)))
    assert NOTICE in await town.visit.get(str(back.without_query_params("state")))
    assert (await town.world.exchange(back.query["code"])).status == 200


async def test_an_error_instead_of_a_code_is_told(alone: Visit) -> None:
    await alone.get("/login")
    state = alone.shop.visitors[alone.cookie].state
    assert NOTICE in await alone.get(f"{DONE}?error=access_denied&state={state}")


@pytest.mark.parametrize("method", ["scan", "wecom", ""])
async def test_a_method_without_a_page_of_wechat_is_told(town: Town, method: str) -> None:
    assert NOTICE in await town.visit.post("/login/wechat/start", method=method)


@pytest.mark.parametrize(
    ("browser", "offered"),
    [(DESKTOP, [QR, SCRIPT, WEBSITE_BUTTON]), (PHONE, [QR, SCRIPT]), (WECHAT, [H5_BUTTON])],
    ids=["desktop", "phone", "wechat"],
)
async def test_the_login_page_offers_what_fits_the_browser(alone: Visit, browser: str, offered: list[str]) -> None:
    text = await alone.get("/login", **{"User-Agent": browser})
    assert [part for part in (QR, SCRIPT, WEBSITE_BUTTON, H5_BUTTON) if part in text] == offered
    text = await alone.get("/signup", **{"User-Agent": browser})
    assert not any(part in text for part in offered)


async def test_a_shop_with_scans_alone_offers_them_inside_wechat(alone: Visit) -> None:
    alone.shop.methods = ["scan"]
    text = await alone.get("/login", **{"User-Agent": WECHAT})
    assert (QR in text, H5_BUTTON in text) == (True, False)


async def test_what_leads_back_is_read_as_strictly_as_a_form(alone: Visit) -> None:
    for query in ("code=%ff", "code"):
        request = URL(f"{alone.http.make_url(DONE)}?{query}", encoded=True)
        assert (await alone.http.session.get(request)).status == 400
    assert (await alone.http.head(DONE)).status == 405
