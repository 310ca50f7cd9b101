"""Decodes the QR codes in a picture. qr_reader.py runs this file as a process, because a thread cannot be killed.

A crafted picture can keep the decoders busy for minutes. The process reads a picture from standard input and
writes `{"texts": [...]}` or `{"reason": word}`. It imports nothing of the sandbox, so it starts fast and from any
directory. Pillow and zxing-cpp do the decoding; the latter comes with `scanbind[sandbox]`, imported only here.
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
"""Content type -> Pillow's name. Untrusted pictures reach no other decoder of Pillow."""
MOST_PIXELS: Final = 24_000_000
"""Enough for a screenshot of a page of 1280 by 4600 at a device pixel ratio of 2, or for a phone's photo."""
_MOST_MEMORY: Final = 1024 * 1024 * 1024
"""Bytes of address space; twice what the largest picture needs."""
_MOST_SECONDS: Final = 10
"""CPU seconds; takes effect only when the parent process is gone, whose own timeout is shorter."""

Reason = Literal["no_reader", "not_a_picture", "too_many_pixels", "too_slow"]


class BadPicture(Exception):
    """The picture cannot be decoded, for this `reason`."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Final = reason


def texts_in(picture: bytes) -> list[str]:
    """Return the texts of the QR codes in a PNG, JPEG or WebP, without duplicates; raise BadPicture.

    QR codes may be inverted, rotated, small, or on a transparent background.
    """
    try:
        import zxingcpp  # noqa: PLC0415 - an optional extra, which a service without a sandbox does not install
    except ImportError as e:
        raise BadPicture("no_reader") from e
    formats = zxingcpp.barcode_formats_from_str("QRCode")
    for version in _versions(_opened(picture)):
        found = zxingcpp.read_barcodes(version, formats=formats)
        if texts := list(dict.fromkeys(code.text for code in found)):
            return texts
    return []


def _opened(picture: bytes) -> "Image":
    """Return the decoded picture. The number of pixels is checked before any is decoded."""
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
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        struct.error,
    ) as e:  # what Pillow raises for broken files
        raise BadPicture("not_a_picture") from e
    return image


def _versions(image: "Image") -> Iterator["Image"]:
    """Yield the picture in grey; a transparent one on a white and on a black background."""
    if not image.has_transparency_data:
        yield image.convert("L")
        return
    both = image.convert("LA")
    grey, alpha = both.getchannel("L"), both.getchannel("A")
    del both  # frees four bytes per pixel; each channel has one
    for background in (255, 0):
        yield _over(background, grey, alpha)


def _over(background: int, grey: "Image", alpha: "Image") -> "Image":
    from PIL import Image  # noqa: PLC0415 - as above

    whole = Image.new("L", grey.size, background)
    whole.paste(grey, mask=alpha)
    return whole


def main() -> None:
    """Decode the picture on standard input, and write the result to standard output."""
    _limit_resources()
    try:
        answer: dict[str, object] = {"texts": texts_in(sys.stdin.buffer.read())}
    except BadPicture as e:
        answer = {"reason": e.reason}
    except MemoryError:
        answer = {"reason": "too_many_pixels"}
    sys.stdout.write(json.dumps(answer))


def _limit_resources() -> None:
    """Limit the memory and CPU time of this process, where the system can."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_AS, _MOST_MEMORY),
        (resource.RLIMIT_CPU, _MOST_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(OSError, ValueError):  # the limit is lower already, or is not supported
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
