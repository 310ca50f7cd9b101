"""The camera of the control API: reads a QR code from an uploaded picture.

POST picture with a PNG, JPEG or WebP body -> {"code"}: this sandbox's QR code in it; other QR codes are ignored.
Of a website's login it is {"consent"}, of a mini program {"program_code"}, their ids; if none is of this sandbox,
{"page"}, the address of a web page.
Failures are `{"error": text, "reason": word}` with a key of FAULTS; `several_codes` also returns the `codes`.
"""

import asyncio
from typing import Final

from aiohttp import web

from sandbox import serializers
from sandbox.access import CONTROL
from sandbox.authorization.requests import is_web_address
from sandbox.authorization.sns_api import AUTHORIZATION
from sandbox.codes import Code
from sandbox.emulator import Sandbox
from sandbox.errors import Unknown
from sandbox.mini_program.api import MINI_PROGRAMS
from sandbox.mini_program.codes import ProgramCode
from sandbox.mini_program.programs import MiniPrograms
from sandbox.qr_decoder import FORMATS, MOST_PIXELS, BadPicture
from sandbox.qr_reader import LOOKS_FOR, PLACES, Full, QrReader
from sandbox.serializers import Json
from sandbox.wechat_api import SANDBOX

LARGEST: Final = 8 * 1024 * 1024
ARRIVES_WITHIN: Final = 30.0
FAULTS: Final = {
    "not_a_picture": (400, "the body cannot be read as a PNG, JPEG or WebP"),
    "no_code": (404, "there is no QR code in the picture"),
    "foreign_code": (404, "the QR code in the picture does not belong to this sandbox"),
    "several_codes": (409, "the picture contains several QR codes of this sandbox: choose one"),
    "too_large": (413, f"the picture is larger than {LARGEST // 2**20} MiB"),
    "too_many_pixels": (413, f"the picture has more than {MOST_PIXELS // 10**6} million pixels"),
    "wrong_type": (415, f"the content type must be one of {', '.join(FORMATS)}"),
    # not 408, after which browsers send the request again
    "too_slow": (
        422,
        f"a picture must arrive within {ARRIVES_WITHIN:.0f} seconds and be decoded within {LOOKS_FOR:.0f} more",
    ),
    "busy": (429, f"{PLACES} pictures are being decoded already: try again in a moment"),
    "no_reader": (501, "reading pictures needs two more libraries: pip install 'scanbind[sandbox]'"),
}
"""Reason -> HTTP status and error text."""
_RETRY_AFTER: Final = {"busy": {"Retry-After": f"{LOOKS_FOR:.0f}"}}
_READER: Final = web.AppKey("qr_reader", QrReader)


class _NoCode(Exception):
    """The request yields no single QR code; `reason` is a key of FAULTS."""

    def __init__(self, reason: str, **found: object) -> None:
        super().__init__(reason)
        self.reason: Final = reason
        self.found: Final = found
        """What the answer tells besides."""


async def _picture(request: web.Request) -> web.Response:
    try:
        found = await _read_code(request)
    except (BadPicture, _NoCode) as e:
        status, error = FAULTS[e.reason]
        body = {"error": error, "reason": e.reason, **(e.found if isinstance(e, _NoCode) else {})}
        return web.json_response(body, status=status, headers=_RETRY_AFTER.get(e.reason))
    return web.json_response(found, headers={"Cache-Control": "no-store"})


async def _read_code(request: web.Request) -> Json:
    # A second guard beside access.guard: other sites can post forms, but no images, without a CORS preflight.
    if request.content_type not in FORMATS:
        raise _NoCode("wrong_type")
    texts = await _texts(request)
    if not texts:
        raise _NoCode("no_code")
    own = [code for text in texts if (code := _own(request.app[SANDBOX], text))]
    if len(own) > 1:
        raise _NoCode("several_codes", codes=[serializers.code(code) for code in own])
    if own:
        return {"code": serializers.code(own[0])}
    consents = request.app[AUTHORIZATION].open_consents()
    logins = {request.app[AUTHORIZATION].address(consent): consent.id for consent in consents}
    if known := [logins[text] for text in texts if text in logins]:
        return {"consent": known[0]}
    if programs := [one.id for text in texts if (one := _of_program(request.app[MINI_PROGRAMS], text))]:
        return {"program_code": programs[0]}
    if pages := [text for text in texts if is_web_address(text)]:
        return {"page": pages[0]}
    raise _NoCode("foreign_code")


async def _texts(request: web.Request) -> list[str]:
    reader = request.app[_READER]
    try:
        with reader.place():
            return await reader.read(await _body(request))
    except Full as e:
        raise _NoCode("busy") from e


async def _body(request: web.Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(ARRIVES_WITHIN):
            async for piece in request.content.iter_chunked(64 * 1024):
                body += piece
                if len(body) > LARGEST:
                    raise _NoCode("too_large")
    except TimeoutError as e:
        raise _NoCode("too_slow") from e
    return bytes(body)


def _own(sandbox: Sandbox, text: str) -> Code | None:
    """Return the QR code whose address is `text`; a text that is only its scene or ticket does not count."""
    try:
        code = sandbox.code(text)
    except Unknown:
        return None
    return code if code.url == text else None


def _of_program(programs: MiniPrograms, text: str) -> ProgramCode | None:
    """Return the code of a mini program whose address is `text`."""
    try:
        code = programs.code(text)
    except Unknown:
        return None
    return code if code.url == text else None


def add_routes(app: web.Application) -> None:
    """Add the camera to the control API."""
    app[_READER] = QrReader()
    app.router.add_post(f"{CONTROL}picture", _picture)
