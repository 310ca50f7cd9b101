"""Which QR codes a picture holds. Pure, and slow: call it off the event loop.

Decoding is Pillow's and zxing-cpp's work; both come with `scanbind[sandbox]` and are only asked for here.
"""

import io
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS: Final = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
"""Content type -> Pillow's name. No other decoder sees what a stranger sent."""
MOST_PIXELS: Final = 50_000_000
"""A page of 1280 by 9700 as a screenshot with two pixels each way, or a phone's photograph."""

Reason = Literal["no_reader", "not_a_picture", "too_many_pixels"]


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
    for background in ("white", "black"):
        yield _over(background, image)


def _over(background: str, image: "Image") -> "Image":
    from PIL import Image  # noqa: PLC0415 - as above

    clear = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, background), clear).convert("L")
