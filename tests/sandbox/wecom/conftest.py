"""A sandbox with enterprises."""

from typing import Any

import pytest
from wecom_town import CORP, OTHER_CORP, SECOND_APP, WeCom

from sandbox.account import OfficialAccount
from sandbox.app import make_app


@pytest.fixture
async def wecom(aiohttp_client: Any, account: OfficialAccount, clock: Any) -> WeCom:
    apps = [CORP, SECOND_APP, OTHER_CORP]
    app = make_app([account], wecom_apps=apps, public_url="http://phone.test", clock=clock)
    return WeCom(await aiohttp_client(app), clock)
