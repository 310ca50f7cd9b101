"""Serves the mini program that phones run: examples/miniprogram, with the service's address in its config.js.

Its scripts are wrapped as WeChat's compiler does: each becomes a function that gets `require` and `module`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aiohttp import web

from sandbox.errors import Unknown
from sandbox.mini_program.api import MINI_PROGRAMS
from sandbox.mini_program.codes import CODE_PATH
from sandbox.phone_page import WEB, file
from sandbox.qr_image import png

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "miniprogram"
_BASE: Final = "/sandbox/mini-program/{appid}/"
_TYPES: Final = {".json": "application/json", ".wxml": "text/xml", ".wxss": "text/css"}
_CONFIG: Final = "config.js"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def _modules(api: str) -> Iterator[str]:
    for path in sorted(EXAMPLE.rglob("*.js")):
        name = path.relative_to(EXAMPLE).as_posix()
        source = f"module.exports = {json.dumps({'api': api})}" if name == _CONFIG else path.read_text("utf-8")
        yield f"define({json.dumps(name)}, (require, module, exports) => {{\n{source}\n}});\n"


async def _program(request: web.Request) -> web.Response:
    """Return all scripts of the mini program."""
    try:
        program = request.app[MINI_PROGRAMS].get(request.match_info["appid"])
    except Unknown as e:
        raise web.HTTPNotFound from e
    return web.Response(text="".join(_modules(program.api)), content_type="text/javascript", headers=_HEADERS)


async def _file(request: web.Request) -> web.StreamResponse:
    """Return a page's template or style, or a configuration."""
    path = EXAMPLE / request.match_info["name"]
    if path not in EXAMPLE.rglob("*") or path.suffix not in _TYPES:
        raise web.HTTPNotFound
    return web.Response(text=path.read_text("utf-8"), content_type=_TYPES[path.suffix], headers=_HEADERS)


async def _frame(_request: web.Request) -> web.FileResponse:
    """Return the page in which the phone runs the mini program."""
    return web.FileResponse(WEB / "miniprogram.html", headers=_HEADERS)


async def _picture(request: web.Request) -> web.Response:
    """Return the picture of a code."""
    try:
        code = request.app[MINI_PROGRAMS].code(request.match_info["code"])
    except Unknown as e:
        raise web.HTTPNotFound from e
    return web.Response(body=png(code.url), content_type="image/png")


def add_routes(app: web.Application) -> None:
    """Add the mini program's files, and the addresses in codes, which lead to the phone page."""
    app.router.add_get(CODE_PATH + "{code:[0-9a-f]{24}}", file("phone.html"))
    app.router.add_get(CODE_PATH + "{code:[0-9a-f]{24}}.png", _picture)
    app.router.add_get(_BASE, _frame)
    app.router.add_get(_BASE + "program.js", _program)
    app.router.add_get(_BASE + "{name:[\\w/.-]+}", _file)
