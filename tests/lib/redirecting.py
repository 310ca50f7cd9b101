"""Worlds with sign-ins by redirect: what each kind needs, and how a person goes through it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from harness import ACCOUNT, WEBSITE, Page, World, client
from wechat_browser import Browser, Visit

from sandbox.people import Person

BACK = "https://shop.example/login/done?from=wechat"


@dataclass(frozen=True)
class Kind:
    """A redirect method."""

    method: str
    account: str
    identity: str

    def phone(self, person: Person) -> Person | None:
        """Return the person if the browser is the one inside their WeChat."""
        return person if self.method == "h5" else None

    async def sign_in(self, browser: Browser, page: Page, person: Person) -> Visit:
        """Open the address and allow what WeChat asks."""
        visit = await browser.open(page.made["authorize_url"])
        return await browser.allow(person) if visit.consent else visit


WEBSITE_LOGIN = Kind("website", "site", "website")
H5 = Kind("h5", "main", "official_account")


def state_of(visit: Visit) -> str:
    """Return our state in the address of WeChat that an address of ours led to."""
    return re.findall(r"state=(\w+)", visit.way[1])[0]


async def redirecting(
    make: Callable[..., Any], kind: Kind, *, oauth: Any = "base", open_platform: str = "", **changes: Any
) -> tuple[World, Person]:
    """Start a world whose shop offers *kind*, then the scan; return it, and a person who follows its account."""
    shop = {"apps": ["site"], "methods": [kind.method, "scan"], "return_urls": [BACK], **changes}
    world: World = await make(
        official={"main": replace(ACCOUNT, oauth=oauth)},
        accounts={"main": {"open_platform": open_platform}},
        apps={"site": WEBSITE},
        clients={"shop": client("shop", **shop)},
    )
    return world, await world.person()
