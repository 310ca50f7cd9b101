"""Sign-ins by redirect in each engine, over https, where site, service and WeChat are three sites to the browser.

Red when the panel's cookie is `Lax` (Chromium, Firefox), and when the redirect's is `Strict` (all three).
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from browser_fixture import browser_fixture
from engines.driver import Engine
from engines.page import DEADLINE, WIDGET, Page
from engines.webkit import WebKit
from harness import ORIGIN, WEBSITE, World, client
from pages import POLICY, Site
from proxy import proxy
from tls import own_certificate
from widget import Console, until
from widget_methods import DONE
from yarl import URL

from sandbox.authorization.consents import Consent

STATE = "of-the-session"
FRAMED = '<scanbind-qr method="website" client-id="shop" state="{}" return-url="{}"></scanbind-qr>'
PANEL_ENDED = """() => {
  const one = document.querySelector("scanbind-qr");
  return told.length ? "authorized" : !one.shadowRoot.querySelector("iframe") && "cookies";
}"""


def at(url: str, host: str) -> str:
    """Return *url* by a name that is a site of its own; all below localhost lead to this machine."""
    return url.replace("127.0.0.1", f"{host}.localhost")


@browser_fixture
async def apart(make: Callable[..., Any], site: Site, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose site, service and WeChat are reached by https at hosts of different sites."""
    tls = own_certificate(tmp_path)
    async with proxy(tls=tls) as service, proxy(tls=tls) as wechat, proxy(site.origin, tls=tls) as shop:
        site.origin, site.service = at(shop.url, "shop"), at(service.url, "login")
        offers = {"apps": ["site"], "methods": ["website"], "return_urls": [site.origin + DONE]}
        world: World = await make(
            server={"public_url": site.service},
            accounts={"site": {"open_base": at(wechat.url, "wechat")}},
            apps={"site": replace(WEBSITE, domain="login.localhost")},
            clients={"shop": client("shop", origins=[site.origin, ORIGIN], **offers)},
        )
        service.target, wechat.target = world.url, world.wechat
        site.put("", path=DONE, head="")
        yield world


async def allow(world: World) -> Consent:
    """Wait until WeChat asks, in a frame or not, and let a new person allow it."""
    await until(world.authorization.open_consents, within=DEADLINE)
    [asked] = world.authorization.open_consents()
    return world.authorization.allow(await world.person(), asked)


async def arrival(page: Page, site: Site) -> str:
    """Wait until the browser is back at the site; return the address."""
    back = "(done) => location.href.startsWith(done) && location.href"
    return str(await page.until("the visitor is back", back, f"{site.origin}{DONE}?"))


async def logs_in(world: World, told: Any) -> None:
    """Exchange what the site was told."""
    redeemed = await (await world.exchange(told["code"])).json()
    assert (redeemed["method"], redeemed["outcome"]) == ("website", "register")
    assert redeemed["state"] == told["state"] == STATE


async def test_a_panel_hands_over_the_code_or_the_redirect_does(
    apart: World, site: Site, page: Page, *, engine: Engine, console: Console
) -> None:
    console.expect("Failed to load resource")  # the page that says that the cookie is missing is a 400
    policy = f"{POLICY}; frame-src https:"
    await page.tab.go(site.put(FRAMED.format(STATE, site.origin + DONE), policy=policy))
    await page.record()
    await allow(apart)
    ended = await page.until("the panel says how it ended", PANEL_ENDED)
    if ended == "authorized":
        await logs_in(apart, await page.confirmed())
        return
    assert isinstance(engine, WebKit), "the others keep a Partitioned cookie"
    await page.press("go", of=WIDGET)
    await allow(apart)
    await logs_in(apart, URL(await arrival(page, site)).query)


async def test_a_redirect_comes_back_with_the_code_and_again_with_the_same(
    apart: World, site: Site, page: Page
) -> None:
    made = (await apart.login(method="website", return_url=site.origin + DONE, state=STATE)).made
    start = site.put(f'<a data-testid="link" href="{made["authorize_url"]}">WeChat</a>', head="")
    await page.tab.go(start)
    await page.press("link")
    consent = await allow(apart)
    address = await arrival(page, site)
    await page.tab.go(start)
    await page.tab.go(str(consent.address))
    assert await arrival(page, site) == address
    await logs_in(apart, URL(address).query)
