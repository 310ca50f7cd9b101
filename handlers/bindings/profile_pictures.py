"""Serves the pictures of people, fetched from WeChat when they signed in (contract.md 8.5)."""

from typing import Final

from aiohttp import web

from handlers.http import pictures
from models.errors import NotFound
from models.picture import JPEG
from service.app_keys import KEYRING, PROFILES, SETTINGS
from service.crypto.keyring import Capability

_CACHING: Final = "private, max-age=604800, immutable"
"""A week: each picture has an address of its own, but one that was erased should not be shown for long."""


async def picture(request: web.Request) -> web.Response:
    """Return the picture, until it is replaced or erased."""
    permitted = request.app[KEYRING].permitted(Capability.PROFILE_PICTURE, request.match_info["capability"])
    if permitted is None or not request.app[SETTINGS].clients[permitted[1].client].profile:
        raise NotFound("unknown picture")
    content = await request.app[PROFILES].picture(permitted[0])
    if content is None:
        raise NotFound("the picture was replaced or erased")
    return pictures.picture(request, content, JPEG, caching=_CACHING)
