"""The shop with nothing behind it: what it does of its own, and what when scanbind does not answer."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp.test_utils import TestClient, unused_port
from pytest_aiohttp.plugin import AiohttpClient

from demo.shop import make_app


@pytest.fixture
def unused_url() -> str:
    return f"http://127.0.0.1:{unused_port()}"


@pytest.fixture
async def shop(aiohttp_client: AiohttpClient, unused_url: str) -> TestClient:
    secret = "made up"
    return await aiohttp_client(
        make_app(scanbind_url=unused_url, client_id="shop", client_secret=secret, phone_url="http://127.0.0.1:9/")
    )


@pytest.fixture
def enter(shop: TestClient) -> Callable[[str, str], Awaitable[None]]:
    """Sign in by password."""

    async def enter(name: str, password: str) -> None:
        answer = await shop.post("/login", data={"name": name, "password": password})
        assert answer.status == 200

    return enter
