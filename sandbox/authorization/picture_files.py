"""The files of people's pictures, good and bad. Pure."""

import hashlib
import struct
import zlib
from functools import lru_cache
from typing import Final

SIDE: Final = 132
"""Pixels, as in the last part of WeChat's addresses."""
_BOMB_SIDE: Final = 12_000
_CLEAR, _END = b"\x80", b"\x81"

PAGE: Final = b"<!doctype html><title>Not a picture</title><script>alert(1)</script>"
DRAWING: Final = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><circle r="9"/></svg>'


@lru_cache(maxsize=256)
def portrait(name: str) -> bytes:
    """Return a PNG of a head and shoulders, on a ground of a colour that *name* decides."""
    ground = _colour(name)
    figure = bytes((channel + 2 * 255) // 3 for channel in ground)
    rows = (b"\0" + b"".join(figure if _in_figure(x, y) else ground for x in range(SIDE)) for y in range(SIDE))
    return _png(SIDE, b"".join(rows), depth=8, colours=2)


@lru_cache(maxsize=1)
def bomb() -> bytes:
    """Return a PNG of one colour and 144 million pixels, of which each takes a bit."""
    return _png(_BOMB_SIDE, bytes((1 + _BOMB_SIDE // 8) * _BOMB_SIDE), depth=1, colours=0)


def animation(name: str) -> bytes:
    """Return a GIF of two frames: first the colour of *name*, then another."""
    palette = _colour(name) + _colour(f"another than {name}") + bytes(3 * 126)
    head = b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0xF6, 0, 0) + palette
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    return head + loop + _frame(b"\0") + _frame(b"\1") + b";"


def _frame(index: bytes) -> bytes:
    # GIF compresses nothing when the table is cleared before its codes grow: each pixel is a code of 8 bits
    pixels = (_CLEAR + index * 120) * (SIDE * SIDE // 120) + _CLEAR + index * (SIDE * SIDE % 120) + _END
    blocks = (pixels[at : at + 255] for at in range(0, len(pixels), 255))
    data = b"".join(bytes([len(block)]) + block for block in blocks)
    delay = b"\x21\xf9\x04\0\x32\0\0\0"
    return delay + b"," + struct.pack("<HHHHB", 0, 0, SIDE, SIDE, 0) + b"\x07" + data + b"\0"


def _colour(name: str) -> bytes:
    """Return red, green and blue, none of them light."""
    return bytes(40 + channel // 2 for channel in hashlib.sha256(name.encode()).digest()[:3])


def _in_figure(x: int, y: int) -> bool:
    across = x - SIDE // 2
    head = across**2 + (y - 52) ** 2 < 26**2
    return head or (across / 46) ** 2 + ((y - SIDE) / 44) ** 2 < 1


def _png(side: int, rows: bytes, *, depth: int, colours: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, depth, colours, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
