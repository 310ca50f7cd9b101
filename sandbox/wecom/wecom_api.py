"""Emulates the calls of `qyapi.weixin.qq.com` (wechat-protocol.md 7). Errors are JSON with status 200."""

import secrets
from typing import Final

from aiohttp import web

from sandbox.authorization.sns_api import AUTHORIZATION, endpoint
from sandbox.errors import Refused

_HELP: Final = "https://open.work.weixin.qq.com/devtool/query?e="


def _told(refusal: Refused, request: web.Request) -> dict[str, object]:
    """Return the JSON of a refusal: WeCom writes a hint and the caller's address, and no rid."""
    body, code = refusal.body(), refusal.errcode
    stem = str(body["errmsg"]).partition(" rid: ")[0]
    hint = f"hint: [{secrets.randbelow(10**19)}], from ip: {request.remote}, more info at {_HELP}{code}"
    return {**body, "errmsg": f"{stem}, {hint}"}


async def _token(request: web.Request) -> web.Response:
    try:
        body = request.app[AUTHORIZATION].enterprises.token(request.query)
    except Refused as e:
        body = _told(e, request)
    return web.json_response(body)


def add_routes(app: web.Application) -> None:
    """Add the calls by which an application learns who a person is."""
    app.router.add_get("/cgi-bin/gettoken", _token)
    userinfo = endpoint(
        lambda authorization, request: authorization.enterprises.userinfo(
            request.query, caller=request.remote or ""
        ),
        told=_told,
    )
    app.router.add_get("/cgi-bin/auth/getuserinfo", userinfo)
