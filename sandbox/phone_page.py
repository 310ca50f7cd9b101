"""Serves the phone page and its files. Its content policy allows no inline code and no other origin."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from sandbox.announcement import picture_path
from sandbox.authorization.consents import CONFIRM
from sandbox.errors import Unknown
from sandbox.qr_image import png
from sandbox.wechat_api import SANDBOX

WEB: Final = Path(__file__).parent / "web"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def file(name: str) -> Callable[[web.Request], Awaitable[web.FileResponse]]:
    """Return the handler that serves a file of WEB."""

    async def handler(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(WEB / name, headers=_HEADERS)

    return handler


async def _own_code(request: web.Request) -> web.Response:
    """Send the picture of an account's own QR code, which its console offers to download."""
    try:
        code = request.app[SANDBOX].code(request.match_info["account"])
    except Unknown as e:
        raise web.HTTPNotFound from e
    return web.Response(body=png(code.url), content_type="image/png")


def add_routes(app: web.Application) -> None:
    """Add `/` and the addresses in QR codes; all serve the phone page, which reads its own address."""
    app.router.add_get("/", file("phone.html"))
    app.router.add_get("/q/{code:02[0-9A-Za-z]+}", file("phone.html"))
    app.router.add_get("/r/{account:gh_[0-9a-z]+}", file("phone.html"))
    app.router.add_get(picture_path("{account:gh_[0-9a-z]+}"), _own_code)
    app.router.add_get(CONFIRM, file("phone.html"))
    for path in sorted(WEB.glob("*.*")):
        if path.suffix != ".html":
            app.router.add_get(f"/sandbox/web/{path.name}", file(path.name))
