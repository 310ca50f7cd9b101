"""The camera's door: a picture in, the code it shows out. What is no allowed image type is never taken.

POST picture, the body a PNG, JPEG or WebP -> {"code"}: the one of our codes in it; others' codes are passed over.
Failures are `{"error": text, "reason": word}`: a key of FAULTS; `several_codes` also has them, as `codes`.
"""

import asyncio
from typing import Final

from aiohttp import web

from sandbox import serializers
from sandbox.access import CONTROL
from sandbox.codes import Code
from sandbox.emulator import Sandbox
from sandbox.errors import Unknown
from sandbox.qr_decoder import FORMATS, MOST_PIXELS, BadPicture
from sandbox.qr_reader import LOOKS_FOR, PLACES, Full, QrReader
from sandbox.wechat_api import SANDBOX

LARGEST: Final = 8 * 1024 * 1024
ARRIVES_WITHIN: Final = 30.0
FAULTS: Final = {
    "not_a_picture": (400, "the body is no PNG, JPEG or WebP that can be read"),
    "no_code": (404, "there is no QR code in the picture"),
    "foreign_code": (404, "the code in the picture is none of this sandbox's"),
    "several_codes": (409, "the picture shows several of this sandbox's codes: choose one"),
    "too_large": (413, f"a picture may have {LARGEST // 2**20} MiB"),
    "too_many_pixels": (413, f"a picture may have {MOST_PIXELS // 10**6} million pixels"),
    "wrong_type": (415, f"the content type must be one of {', '.join(FORMATS)}"),
    # not 408, after which browsers send everything again
    "too_slow": (
        422,
        f"a picture must arrive within {ARRIVES_WITHIN:.0f} seconds, and be read within {LOOKS_FOR:.0f} more",
    ),
    "busy": (429, f"{PLACES} pictures are being looked at already: try again in a moment"),
    "no_reader": (501, "reading pictures needs two more libraries: pip install 'scanbind[sandbox]'"),
}
"""Reason -> HTTP status and what to say."""
_RETRY_AFTER: Final = {"busy": {"Retry-After": f"{LOOKS_FOR:.0f}"}}
_READER: Final = web.AppKey("qr_reader", QrReader)


class _Blind(Exception):
    """No code was made out; `reason` is a key of FAULTS."""

    def __init__(self, reason: str, codes: list[Code] | None = None) -> None:
        super().__init__(reason)
        self.reason: Final = reason
        self.codes: Final = codes


async def _picture(request: web.Request) -> web.Response:
    try:
        code = await _look(request)
    except (BadPicture, _Blind) as e:
        status, error = FAULTS[e.reason]
        codes = e.codes if isinstance(e, _Blind) else None
        several = {"codes": [serializers.code(code) for code in codes]} if codes else {}
        body = {"error": error, "reason": e.reason, **several}
        return web.json_response(body, status=status, headers=_RETRY_AFTER.get(e.reason))
    return web.json_response({"code": serializers.code(code)}, headers={"Cache-Control": "no-store"})


async def _look(request: web.Request) -> Code:
    # A page of another site can post text and forms without asking first, but no image: the lock beside guard.py.
    if request.content_type not in FORMATS:
        raise _Blind("wrong_type")
    texts = await _texts(request)
    if not texts:
        raise _Blind("no_code")
    own = [code for text in texts if (code := _own(request.app[SANDBOX], text))]
    if not own:
        raise _Blind("foreign_code")
    if len(own) > 1:
        raise _Blind("several_codes", own)
    return own[0]


async def _texts(request: web.Request) -> list[str]:
    reader = request.app[_READER]
    try:
        with reader.place():
            return await reader.read(await _body(request))
    except Full as e:
        raise _Blind("busy") from e


async def _body(request: web.Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(ARRIVES_WITHIN):
            async for piece in request.content.iter_chunked(64 * 1024):
                body += piece
                if len(body) > LARGEST:
                    raise _Blind("too_large")
    except TimeoutError as e:
        raise _Blind("too_slow") from e
    return bytes(body)


def _own(sandbox: Sandbox, text: str) -> Code | None:
    """Return the code whose address is `text`; a scene or ticket written as a QR code is nobody's code."""
    try:
        code = sandbox.code(text)
    except Unknown:
        return None
    return code if code.url == text else None


def add_routes(app: web.Application) -> None:
    """Add the camera to the control door."""
    app[_READER] = QrReader()
    app.router.add_post(f"{CONTROL}picture", _picture)
