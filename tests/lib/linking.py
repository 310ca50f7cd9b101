"""Worlds whose shop offers links, and what people do with one inside WeChat."""

import html
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from harness import ACCOUNT, Page, World, client
from wechat_browser import Browser, Visit, browsing

from sandbox.people import Person

DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"


async def linking(make: Callable[..., Any], *, limits: dict[str, int] | None = None, **changes: Any) -> World:
    """Start a world whose shop offers the link, and asks *yes* or *not me* for logins."""
    shop = {"methods": ["link"], "confirm": {"login": "tap", "bind": "match"}, **changes}
    world: World = await make(
        official={"main": replace(ACCOUNT, oauth="base")},
        clients={"shop": client("shop", **shop)},
        limits=limits or {},
    )
    return world


@asynccontextmanager
async def asked(page: Page, person: Person, *, lang: str = "en") -> AsyncIterator[Browser]:
    """Open a page's link inside the WeChat of *person*."""
    async with browsing(page.world, person) as browser:
        browser.http.headers["Accept-Language"] = lang
        await browser.open(page.made["qr_url"])
        yield browser


def said(visit: Visit) -> str:
    """Return the words of a page."""
    return html.unescape(re.sub(r"<[^>]+>", " ", visit.text.partition("<main>")[2]))
