"""Files of pictures, good and bad. None is larger than what the service downloads."""

import io
import struct
import zlib
from typing import Any

from PIL import Image


def written(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def halves(size: tuple[int, int] = (200, 100), mode: str = "RGB") -> Image.Image:
    """Return a picture that is red on the left and blue on the right."""
    image = Image.new(mode, size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    return image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width: int, height: int) -> bytes:
    """Return a small PNG that says it has this size."""
    whole = written(Image.new("1", (8, 8)))
    return whole[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)) + whole[33:]


def png_of_texts() -> bytes:
    """Return a PNG whose texts unpack to 100 MB."""
    packed = zlib.compress(b"x" * 1_000_000)
    texts = b"".join(chunk(b"zTXt", b"%d\0\0" % number + packed) for number in range(100))
    whole = written(halves())
    return whole[:33] + texts + whole[33:]


def jpeg_of_scans(scans: int, *, side: int = 64) -> bytes:
    """Return a progressive JPEG with this many scans more than it needs, of 39 bytes each."""
    whole = written(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    scan = whole[whole.rindex(b"\xff\xc4", 0, whole.rindex(b"\xff\xda")) : -2]
    return whole[:-2] + scan * scans + whole[-2:]


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9" height="9"/></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
