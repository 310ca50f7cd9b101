"""Serves the QR codes of accounts, which pages show beside passcodes (contract.md 8.2)."""

from typing import Final

from aiohttp import web

from handlers.http import pictures
from models.errors import NotFound
from models.picture import media_type
from service.app_keys import SETTINGS

_CACHING: Final = "public, max-age=3600"


async def picture(request: web.Request) -> web.Response:
    """Return the picture of an account."""
    account = request.app[SETTINGS].accounts.get(request.match_info["account"])
    content = account.picture if account else None
    kind = media_type(content) if content else None
    if content is None or kind is None:
        raise NotFound("the account is unknown or has no picture")
    return pictures.picture(request, content, kind, caching=_CACHING)
