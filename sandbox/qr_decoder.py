"""Which QR codes a picture holds. Runs as a program of its own (qr_reader.py), for no thread can be stopped.

A picture can be made to keep the decoders busy for minutes. The program takes one on its standard input and writes
`{"texts": [...]}` or `{"reason": word}`; it imports nothing of the sandbox, so it starts fast and from anywhere.
Decoding is Pillow's and zxing-cpp's work; both come with `scanbind[sandbox]` and are only asked for here.
"""

import io
import json
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS: Final = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
"""Content type -> Pillow's name. No other decoder sees what a stranger sent."""
MOST_PIXELS: Final = 24_000_000
"""A page of 1280 by 4600 as a screenshot with two pixels each way, or a phone's photograph."""
_MOST_MEMORY: Final = 1024 * 1024 * 1024
"""Bytes of addresses; twice what the largest picture needs."""
_MOST_SECONDS: Final = 10
"""Of computing, should whoever started the program be gone; else its own patience ends sooner."""

Reason = Literal["no_reader", "not_a_picture", "too_many_pixels", "too_slow"]


class BadPicture(Exception):
    """The picture could not be looked at; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Final = reason


def texts_in(picture: bytes) -> list[str]:
    """Return what the QR codes in a PNG, JPEG or WebP say, each text once; raise BadPicture.

    Codes may be inverted, turned, small, or drawn on nothing (transparent).
    """
    try:
        import zxingcpp  # noqa: PLC0415 - an extra that a service without a sandbox does not carry
    except ImportError as e:
        raise BadPicture("no_reader") from e
    formats = zxingcpp.barcode_formats_from_str("QRCode")
    for version in _versions(_opened(picture)):
        found = zxingcpp.read_barcodes(version, formats=formats)
        if texts := list(dict.fromkeys(code.text for code in found)):
            return texts
    return []


def _opened(picture: bytes) -> "Image":
    """Return the picture, decoded. Its size is known, and bounded, before any pixel is."""
    try:
        from PIL import Image  # noqa: PLC0415 - as above
    except ImportError as e:
        raise BadPicture("no_reader") from e
    try:
        image = Image.open(io.BytesIO(picture), formats=tuple(FORMATS.values()))
        if image.width * image.height > MOST_PIXELS:
            raise BadPicture("too_many_pixels")
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as e:
        raise BadPicture("too_many_pixels") from e
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as e:  # how Pillow says broken
        raise BadPicture("not_a_picture") from e
    return image


def _versions(image: "Image") -> Iterator["Image"]:
    """Yield the picture in grey; one with holes in it as it looks on light and on dark."""
    if not image.has_transparency_data:
        yield image.convert("L")
        return
    both = image.convert("LA")
    grey, holes = both.getchannel("L"), both.getchannel("A")
    del both  # it has four bytes for each pixel, the two have one
    for background in (255, 0):
        yield _over(background, grey, holes)


def _over(background: int, grey: "Image", holes: "Image") -> "Image":
    from PIL import Image  # noqa: PLC0415 - as above

    whole = Image.new("L", grey.size, background)
    whole.paste(grey, mask=holes)
    return whole


def main() -> None:
    """Read a picture, write what it holds."""
    _bound()
    try:
        answer: dict[str, object] = {"texts": texts_in(sys.stdin.buffer.read())}
    except BadPicture as e:
        answer = {"reason": e.reason}
    except MemoryError:
        answer = {"reason": "too_many_pixels"}
    sys.stdout.write(json.dumps(answer))


def _bound() -> None:
    """Ask the system to end this process where it takes too much; one that cannot is not asked."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_AS, _MOST_MEMORY),
        (resource.RLIMIT_CPU, _MOST_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(OSError, ValueError):  # it has less already, or knows no such bound
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
