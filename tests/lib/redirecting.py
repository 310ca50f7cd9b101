"""Worlds with sign-ins by redirect: what each kind needs, and how a person goes through it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from harness import ACCOUNT, CORP, WEBSITE, Page, World, client
from wechat_browser import Browser, Visit

from sandbox.account import Website, WeComApp
from sandbox.people import Person

BACK = "https://shop.example/login/done?from=wechat"


@dataclass(frozen=True)
class Kind:
    """A redirect method."""

    method: str
    account: str
    identity: str
    order: tuple[str, ...]
    """The parameters of WeChat's address, as it demands them."""
    app: Website | WeComApp | None = None
    second: Website | WeComApp | None = None
    """Another one, of the same kind."""

    def phone(self, person: Person) -> Person | None:
        """Return the person if the browser is the one inside their WeChat."""
        return person if self.method == "h5" else None

    async def sign_in(self, browser: Browser, page: Page, person: Person) -> Visit:
        """Open the address and allow what WeChat asks."""
        visit = await browser.open(page.made["authorize_url"])
        return await browser.allow(person) if visit.consent else visit

    def names(self, world: World, person: Person) -> tuple[str | None, str | None]:
        """Return the openid and the userid by which a site knows the person."""
        if isinstance(self.app, WeComApp):
            userid = world.authorization.enterprises.userid(person, corpid=self.app.corpid)
            return (None, userid.lower()) if userid else (person.openid(self.app.corpid), None)
        return person.openid((self.app or ACCOUNT).appid), None


_WEB = ("appid", "redirect_uri", "response_type", "scope", "state")
_WECOM = ("login_type", "appid", "agentid", "redirect_uri", "state", "lang")
WEBSITE_LOGIN = Kind(
    *("website", "site", "website", (*_WEB, "lang")),
    app=WEBSITE,
    second=replace(WEBSITE, appid="wx99887766554433bb", secret="8" * 32),
)
H5 = Kind("h5", "main", "official_account", (*_WEB, "connect_redirect"))
WECOM = Kind(
    *("wecom", "site", "wecom", _WECOM),
    app=CORP,
    second=replace(CORP, corpid="ww99887766554433ee", secret="e" * 43),
)
REDIRECTS = (WEBSITE_LOGIN, H5, WECOM)
PAGES = (WEBSITE_LOGIN, WECOM)
"""Those whose page asks the person, and that have a panel."""


def state_of(visit: Visit) -> str:
    """Return our state in the address of WeChat that an address of ours led to."""
    return re.findall(r"state=(\w+)", visit.way[1])[0]


async def redirecting(
    make: Callable[..., Any],
    kind: Kind,
    *,
    oauth: Any = "base",
    open_platform: str = "",
    app: dict[str, Any] | None = None,
    tickets: dict[str, int] | None = None,
    others: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    **changes: Any,
) -> tuple[World, Person]:
    """Start a world whose shop offers *kind*, then the scan; return it, and a person who follows its account.

    `site` is the application, of a website unless it is one in WeCom; *app* changes its configuration.
    *others* are more clients, *settings* the rest of the configuration.
    """
    shop = {"apps": ["site"], "methods": [kind.method, "scan"], "return_urls": [BACK], **changes}
    world: World = await make(
        official={"main": replace(ACCOUNT, oauth=oauth)},
        accounts={"main": {"open_platform": open_platform}, "site": app or {}},
        apps={"site": kind.app or WEBSITE},
        clients={"shop": client("shop", **shop), **(others or {})},
        tickets=tickets or {},
        **(settings or {}),
    )
    return world, await world.person()
