"""A sandbox with web authorization."""

from dataclasses import replace
from typing import Any

import pytest
from authorizing import OTHER, SITE, WeChat

from sandbox.account import OfficialAccount
from sandbox.app import make_app


@pytest.fixture
async def wechat(aiohttp_client: Any, account: OfficialAccount, clock: Any) -> WeChat:
    own = replace(account, oauth="userinfo", oauth_domain="login.test", open_platform="acme")
    app = make_app([own], [SITE, OTHER], public_url="http://phone.test", clock=clock)
    return WeChat(await aiohttp_client(app), clock)
