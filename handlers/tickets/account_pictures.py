"""Serves the QR codes of accounts, which pages show beside passcodes (contract.md 8.2)."""

from typing import Final

from aiohttp import web

from models.errors import NotFound
from service.app_keys import SETTINGS

_CACHING: Final = "public, max-age=3600, no-transform"
_PNG: Final = b"\x89PNG"


async def picture(request: web.Request) -> web.Response:
    """Return the picture of an account; with `?download=1` for a download, as `qr_code.png`."""
    account = request.app[SETTINGS].accounts.get(request.match_info["account"])
    if account is None or account.picture is None:
        raise NotFound("the account is unknown or has no picture")
    headers = {
        "Cache-Control": _CACHING,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Content-Security-Policy": "default-src 'none'",
    }
    kind = "png" if account.picture.startswith(_PNG) else "jpeg"
    if request.query.get("download") == "1":
        headers["Content-Disposition"] = f'attachment; filename="wechat.{kind}"'
    return web.Response(body=account.picture, content_type=f"image/{kind}", headers=headers)
