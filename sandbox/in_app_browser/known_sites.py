"""Which pages the browser inside WeChat opens, so that the sandbox is no proxy to other hosts."""

import re
from dataclasses import dataclass
from typing import Final

from yarl import URL

from sandbox.account import Website
from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.emulator import Sandbox
from sandbox.in_app_browser.addresses import origin

_PAGES_OF_WECHAT: Final = re.compile(r"/connect/[\w/-]+|/sandbox/web/\w[\w.-]*")
"""The control API is not among them: it would take the requests of other machines for those of this one."""


@dataclass(frozen=True, slots=True)
class KnownSites:
    """The sites that belong to the accounts and websites of a sandbox, and the `given` ones."""

    sandbox: Sandbox
    authorization: WebAuthorization
    given: tuple[URL, ...]

    def include(self, url: URL, *, near: bool) -> bool:
        """Return whether the page may be opened; `near`: for a browser on this machine.

        It may open all ports of the hosts, and the domains of authorization. Other machines must not read what
        only this machine can reach: they may open the exact origins of callbacks and given sites.
        """
        sites = [*self.given, *(URL(account.callback_url) for account in self.sandbox.accounts)]
        if not near:
            return origin(url) in map(origin, sites)
        apps = self.authorization.apps.values()
        domains = (app.domain if isinstance(app, Website) else app.oauth_domain for app in apps)
        return url.host in {*(site.host for site in sites), *domains}


def is_page_of_wechat(url: URL) -> bool:
    """Return whether a page of the sandbox's own origin is one that WeChat shows in its browser."""
    return _PAGES_OF_WECHAT.fullmatch(url.raw_path) is not None
