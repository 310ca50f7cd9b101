"""The demo shop beside a real service and the sandbox, and beside an unreachable service."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from harness import ACCOUNT, SECRETS, WEBSITE, World, client
from serving import port_of_a_process
from shopper import Clock, Gateway, Open, Visit

from demo.forms import Forms
from demo.scanbind import Client
from demo.shop import DONE, Shop, make_app

ALL = {"all": Client("shop", SECRETS["shop"])}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway, app = Gateway(), web.Application()
    app.router.add_post("/sms", gateway.take)
    async with TestServer(app) as server:
        gateway.url = str(server.make_url("/sms"))
        yield gateway


@pytest.fixture
async def open_shop(clock: Clock, gateway: Gateway) -> AsyncIterator[Open]:
    """Open the shop on *port* before the service at *url*; each call is another browser at another shop."""
    visits: list[TestClient] = []

    async def start(url: str, *, port: int = 0, clients: dict[str, Client] = ALL) -> Visit:
        app = make_app(
            scanbind_url=url,
            phone_url="http://127.0.0.1:9/",
            sms_url=gateway.url,
            clients=clients,
            kind=next(iter(clients)),
            clock=clock,
        )
        # reached by address, so its cookies need a jar that keeps those
        http = TestClient(TestServer(app, port=port), cookie_jar=CookieJar(unsafe=True))
        visits.append(http)
        await http.start_server()
        return Visit(http, forms_of(app), shop_of(app).visitors)

    yield start
    for http in visits:
        await http.close()


def shop_of(app: web.Application) -> Shop:
    return next(handler.func.__self__ for handler in handlers(app) if hasattr(handler, "func"))


def forms_of(app: web.Application) -> Forms:
    acts = (handler.keywords.get("act") for handler in handlers(app) if hasattr(handler, "func"))
    return next(act.__self__ for act in acts if act)


def handlers(app: web.Application) -> list[object]:
    return [route.handler for route in app.router.routes()]


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
