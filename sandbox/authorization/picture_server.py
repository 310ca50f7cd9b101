"""Serves the pictures of people, with the faults of faults.PictureFault that concern the answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from aiohttp import web

from sandbox.authorization import picture_files
from sandbox.authorization.pictures import FOLDER
from sandbox.authorization.sns_api import AUTHORIZATION
from sandbox.errors import Unknown
from sandbox.faults import PictureFault

_PNG: Final = "image/png"
_PAUSE: Final = 0.2
"""Seconds between two bytes of a slow picture."""
_BLOCK, _BLOCKS = bytes(64 * 1024), 320

_Serve = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


async def _picture(request: web.Request) -> web.StreamResponse:
    pictures, name = request.app[AUTHORIZATION].pictures, request.match_info["name"]
    try:
        fault = pictures.fault(pictures.owner(name))
    except Unknown:
        raise web.HTTPNotFound from None
    return await _FAULTY.get(fault, _whole)(request, name)


async def _whole(_request: web.Request, name: str) -> web.Response:
    return web.Response(body=picture_files.portrait(name), content_type=_PNG)


async def _missing(_request: web.Request, _name: str) -> web.Response:
    raise web.HTTPNotFound


async def _redirect(request: web.Request, name: str) -> web.Response:
    if "moved" in request.query:
        return await _whole(request, name)
    raise web.HTTPFound(request.rel_url.with_query("moved"))


async def _slow(request: web.Request, name: str) -> web.StreamResponse:
    async def drops() -> AsyncIterator[bytes]:
        for byte in picture_files.portrait(name):
            yield bytes([byte])
            await asyncio.sleep(_PAUSE)

    return await _streamed(request, drops())


async def _long(request: web.Request, name: str) -> web.StreamResponse:
    async def blocks() -> AsyncIterator[bytes]:
        yield picture_files.portrait(name)
        for _ in range(_BLOCKS):
            yield _BLOCK

    return await _streamed(request, blocks())


async def _streamed(request: web.Request, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": _PNG})
    await response.prepare(request)
    with suppress(ConnectionError):  # the reader has had enough
        async for piece in pieces:
            await response.write(piece)
    return response


def _file(content: Callable[[str], bytes], content_type: str = _PNG) -> _Serve:
    async def serve(_request: web.Request, name: str) -> web.Response:
        return web.Response(body=content(name), content_type=content_type)

    return serve


def _half(name: str) -> bytes:
    whole = picture_files.portrait(name)
    return whole[: len(whole) // 2]


_FAULTY: Final[Mapping[PictureFault | None, _Serve]] = {
    PictureFault.MISSING: _missing,
    PictureFault.REDIRECT: _redirect,
    PictureFault.SLOW: _slow,
    PictureFault.LONG: _long,
    PictureFault.NOT_A_PICTURE: _file(lambda _name: picture_files.PAGE),
    PictureFault.WRONG_TYPE: _file(picture_files.portrait, "text/plain"),
    PictureFault.SVG: _file(lambda _name: picture_files.DRAWING, "image/svg+xml"),
    PictureFault.BOMB: _file(lambda _name: picture_files.bomb()),
    PictureFault.TRUNCATED: _file(_half),
    PictureFault.ANIMATED: _file(picture_files.animation, "image/gif"),
}


def add_routes(app: web.Application) -> None:
    """Add the addresses of pictures."""
    app.router.add_get(f"{FOLDER}/{{name:[0-9a-f]{{32}}}}/{picture_files.SIDE}", _picture)
