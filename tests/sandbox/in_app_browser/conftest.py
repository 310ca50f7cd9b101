"""A sandbox, a site that is known to it, and people who open the site's pages inside their WeChat."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from authorizing import SITE, WeChat
from inside_wechat import Inside, Site

from sandbox.account import OfficialAccount
from sandbox.app import make_app


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.handle)
    async with TestServer(app) as server:
        site.url = str(server.make_url("/").origin())
        yield site


@pytest.fixture
async def inside(aiohttp_client: Any, account: OfficialAccount, clock: Any, site: Site) -> Inside:
    """A sandbox whose account has the domain of the site, and whose callback is at another host."""
    own = replace(account, oauth="userinfo", oauth_domain="127.0.0.1", callback_url="http://service.test/wechat")
    app = make_app([own], [SITE], public_url="http://phone.test", clock=clock)
    return Inside(WeChat(await aiohttp_client(app), clock), site)
