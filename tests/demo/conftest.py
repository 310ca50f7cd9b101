"""The demo shop beside a real service and the sandbox, and beside an unreachable service."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from harness import ACCOUNT, SECRETS, WEBSITE, World, client
from serving import port_of_a_process
from shopper import Open, Visit

from demo.scanbind import Client
from demo.shop import DONE, make_app


@pytest.fixture
async def open_shop() -> AsyncIterator[Open]:
    """Open the shop on *port* before the service at *url*; each call is another browser at another shop."""
    clients: list[TestClient] = []

    async def start(url: str, *, port: int = 0) -> Visit:
        app = make_app(
            scanbind_url=url,
            phone_url="http://127.0.0.1:9/",
            sms_url="http://127.0.0.1:9/sms",
            clients={"all": Client("shop", SECRETS["shop"])},
            kind="all",
        )
        # reached by address, so its cookies need a jar that keeps those
        http = TestClient(TestServer(app, port=port), cookie_jar=CookieJar(unsafe=True))
        clients.append(http)
        await http.start_server()
        shop = next(route.handler.__self__ for route in app.router.routes() if hasattr(route.handler, "__self__"))
        return Visit(http, shop)

    yield start
    for http in clients:
        await http.close()


@pytest.fixture
def shop_port() -> int:
    return port_of_a_process()


@pytest.fixture
async def town(make: Callable[..., Awaitable[World]], shop_port: int) -> World:
    """A world that knows the shop, has its methods, and asks nothing after a scan."""
    here = f"http://127.0.0.1:{shop_port}"
    shop = {"origins": [here, "https://shop.example"], "return_urls": [here + DONE]}
    return await make(
        official={"main": replace(ACCOUNT, oauth="base")},
        apps={"site": WEBSITE},
        clients={"shop": client("shop", apps=["site"], methods=["scan", "website", "h5"], **shop)},
    )


@pytest.fixture
async def visit(town: World, open_shop: Open, shop_port: int) -> Visit:
    return await open_shop(town.url, port=shop_port)


@pytest.fixture
async def alone(open_shop: Open) -> Visit:
    """A shop whose scanbind is unreachable."""
    return await open_shop(f"http://127.0.0.1:{port_of_a_process()}")
