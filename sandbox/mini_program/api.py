"""Emulates WeChat's API of mini programs (wechat-protocol.md 11). Errors are JSON with status 200."""

import json
from typing import Final

from aiohttp import web

from sandbox.authorization.sns_api import endpoint
from sandbox.errors import Refused
from sandbox.mini_program.programs import MiniPrograms
from sandbox.qr_image import png

MINI_PROGRAMS: Final = web.AppKey("mini_programs", MiniPrograms)
_JSON: Final = {"Content-Type": "application/json; encoding=utf-8"}


async def _create_code(request: web.Request) -> web.Response:
    """Return the picture of a new code, or an error as JSON."""
    try:
        code = request.app[MINI_PROGRAMS].create_code(request.method, request.query, await request.read())
    except Refused as e:
        return web.Response(body=json.dumps(e.body()).encode(), headers=_JSON)
    return web.Response(body=png(code.url, width=code.width), content_type="image/png")


def add_routes(app: web.Application) -> None:
    """Add the two calls."""
    app.router.add_route("*", "/wxa/getwxacodeunlimit", _create_code)
    session = endpoint(lambda _, request: request.app[MINI_PROGRAMS].session(request.query))
    app.router.add_get("/sns/jscode2session", session)
