"""A site whose visitors have several methods, and the widget that offers them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from harness import ACCOUNT, SECOND, WEBSITE, World, client
from pages import POLICY, Site
from playwright.async_api import Locator, expect
from widget import Widget

from sandbox.account import MiniProgram, Website, WeComApp
from sandbox.authorization.consents import Consent

Offer = Callable[..., Awaitable[World]]
"""Starts a world with these methods; see the fixture `offer`."""
DONE: Final = "/done"
"""Where redirects come back to."""
LOGIN: Final = '<scanbind-qr client-id="shop" state="of-the-session" return-url="{back}"></scanbind-qr>'
ON_IPHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


async def offering(
    make: Callable[..., Any],
    site: Site,
    *methods: str,
    of_accounts: dict[str, dict[str, Any]] | None = None,
    app: Website | MiniProgram | WeComApp = WEBSITE,
    **changes: Any,
) -> World:
    shop = {"apps": ["site"], "origins": [site.origin], "return_urls": [site.origin + DONE], **changes}
    world: World = await make(
        official={"main": replace(ACCOUNT, oauth="base"), "second": SECOND},
        apps={"site": app},
        accounts=of_accounts,
        clients={"shop": client("shop", methods=methods, **shop)},
    )
    site.service = world.url
    site.put("", path=DONE, head="")
    return world


def page_of(site: Site, world: World, element: str = LOGIN, **how: Any) -> str:
    """Put a page with *element* there whose policy allows frames; return its address."""
    policy = f"{POLICY}; frame-src {world.url} {world.wechat}"
    return site.put(element.replace("{back}", site.origin + DONE), policy=policy, **how)


def choice(widget: Widget, method: str) -> Locator:
    return widget.host.locator(f"[part=method][value={method}]")


def redirect(widget: Widget) -> Locator:
    return widget.host.locator("[part=go]")


async def offered(widget: Widget) -> list[str]:
    """Return the methods that the visitor can take instead of the present one."""
    buttons = await widget.host.locator("[part=method]").all()
    return [str(await one.get_attribute("value")) for one in buttons if await one.is_visible()]


async def framed(widget: Widget, world: World, page: str = "login") -> Consent:
    """Wait until the frame shows WeChat's page; return what that asks."""
    await expect(widget.host.frame_locator("iframe").get_by_test_id(page)).to_be_visible()
    return world.authorization.open_consents()[0]


async def until_told(widget: Widget, name: str) -> dict[str, Any]:
    """Wait for an event; return its detail."""
    await widget.page.wait_for_function("(name) => told.some((one) => one.name === name)", arg=name)
    [said] = await widget.told(name)
    return said
