"""A sandbox with two mini programs."""

from typing import Any

import pytest
from mini_programs import MINI, OTHER, Programs

from sandbox.account import OfficialAccount
from sandbox.app import make_app


@pytest.fixture
async def mini(aiohttp_client: Any, account: OfficialAccount, clock: Any) -> Programs:
    app = make_app([account], (), [MINI, OTHER], public_url="http://phone.test", clock=clock)
    return Programs(await aiohttp_client(app), clock)
