"""Runs a bare handler that creates a QR code with one call: the baseline of `bench.create`."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from aiohttp import ClientSession, web

from bench.baseline_server import listen
from bench.wechat import ACCOUNT

WECHAT: Final = web.AppKey("wechat", ClientSession)
TOKEN: Final = web.AppKey("token", str)


async def create(request: web.Request) -> web.Response:
    """Ask WeChat for a QR code, and return its answer."""
    await request.read()
    scene = {"scene": {"scene_str": secrets.token_urlsafe(40)}}
    order = {"expire_seconds": 300, "action_name": "QR_STR_SCENE", "action_info": scene}
    query = {"access_token": request.app[TOKEN]}
    async with request.app[WECHAT].post("/cgi-bin/qrcode/create", params=query, json=order) as answer:
        return web.Response(body=await answer.read(), content_type="application/json")


async def _connect(api_base: str, app: web.Application) -> AsyncIterator[None]:
    credentials = {"grant_type": "client_credential", "appid": ACCOUNT.appid, "secret": ACCOUNT.secret}
    async with ClientSession(api_base) as app[WECHAT]:
        async with app[WECHAT].post("/cgi-bin/stable_token", json=credentials) as answer:
            app[TOKEN] = (await answer.json())["access_token"]
        yield


def make_app(api_base: str) -> web.Application:
    app = web.Application()
    app.router.add_post("/v1/tickets", create)
    app.cleanup_ctx.append(partial(_connect, api_base))
    return app


if __name__ == "__main__":
    asyncio.run(listen(make_app(sys.argv[1])))
