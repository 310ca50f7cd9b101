"""The pictures of people: a square of one colour, of which the name of the picture decides."""

import hashlib
import struct
import zlib
from typing import Final

from aiohttp import web

from sandbox.people import Person

_SIDE: Final = 132  # pixels, as in the last part of WeChat's addresses


def picture_path(person: Person) -> str:
    """Return the path of the person's picture, which does not tell their id."""
    return f"/mmopen/vi_32/{hashlib.sha256(f'picture {person.id}'.encode()).hexdigest()[:32]}/{_SIDE}"


async def _picture(request: web.Request) -> web.Response:
    colour = bytes.fromhex(request.match_info["name"])[:3]
    return web.Response(body=_square(colour), content_type="image/png")


def _square(colour: bytes) -> bytes:
    """Return a PNG; `colour` is red, green and blue."""
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + colour * _SIDE) * _SIDE)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def add_routes(app: web.Application) -> None:
    """Add the addresses of pictures."""
    app.router.add_get(f"/mmopen/vi_32/{{name:[0-9a-f]{{32}}}}/{_SIDE}", _picture)
