import pytest
from aiohttp import ClientSession, web
from pytest_aiohttp.plugin import AiohttpServer

from demo.scanbind import Scanbind, ScanbindError


async def test_nobody_there_is_unreachable(unused_url: str) -> None:
    async with ClientSession() as http:
        client = Scanbind(http, url=unused_url, client_id="shop", client_secret="s")
        with pytest.raises(ScanbindError, match="unreachable"):
            await client.bindings("anna")


@pytest.mark.parametrize("body", ["<h1>502 Bad Gateway</h1>", "[]", "", "\xff"])
async def test_somebody_else_answering_is_unreachable(aiohttp_server: AiohttpServer, body: str) -> None:
    async def gateway(_request: web.Request) -> web.Response:
        return web.Response(status=502, body=body.encode("latin-1"))

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", gateway)
    server = await aiohttp_server(app)
    async with ClientSession() as http:
        client = Scanbind(http, url=str(server.make_url("/")), client_id="shop", client_secret="s")
        with pytest.raises(ScanbindError, match="unreachable"):
            await client.exchange("code")


async def test_secret_does_not_follow_a_redirect(aiohttp_server: AiohttpServer) -> None:
    asked: list[object] = []

    async def away(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", away)
    server = await aiohttp_server(app)
    async with ClientSession() as http:
        client = Scanbind(http, url=str(server.make_url("/")), client_id="shop", client_secret="s")
        with pytest.raises(ScanbindError):
            await client.exchange("code")
    assert asked == ["/v1/exchange"]


async def test_user_id_stays_one_part_of_the_path(aiohttp_server: AiohttpServer) -> None:
    asked: list[object] = []

    async def note(request: web.Request) -> web.Response:
        asked.append((request.headers["Authorization"], request.raw_path))
        return web.json_response({"bindings": []})

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", note)
    server = await aiohttp_server(app)
    async with ClientSession() as http:
        client = Scanbind(http, url=str(server.make_url("/")), client_id="shop", client_secret="é")
        assert await client.bindings("a/../b?c#d é") == []
    assert asked == [("Basic c2hvcDrDqQ==", "/v1/bindings/a%2F..%2Fb%3Fc%23d%20%C3%A9")]
