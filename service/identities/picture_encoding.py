"""Encodes downloaded profile pictures again, so that nothing of the file that was downloaded is served."""

import asyncio
import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from PIL import GifImagePlugin, Image, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

log = logging.getLogger(__name__)

SIDE: Final = 132
"""Pixels of the longer side, as in most of WeChat's addresses of pictures; smaller pictures stay as they are."""
_LONGEST_SIDE: Final = 2048
_MOST_SCANS: Final = 64
"""Scans of a JPEG, usually ten. Each goes through all pixels and may have few bytes: 1 MiB can take a minute."""
_QUALITY: Final = 85
_TIME_LIMIT: Final = 2.0
_AT_ONCE: Final = 2

_FORMATS: Final = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
    )
)
"""No other decoder of Pillow gets the content. Their import here keeps Pillow from loading all that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureEncoding:
    """Encodes pictures on `threads` of its own; see `encode`. What takes longer keeps its thread until it ends."""

    threads: ThreadPoolExecutor
    time_limit: float = _TIME_LIMIT

    async def encode(self, content: bytes) -> bytes | None:
        """Return what `encode` does; None as well after `time_limit` seconds, with the wait for a thread."""
        encoding = asyncio.get_running_loop().run_in_executor(self.threads, encode, content)
        try:
            return await asyncio.wait_for(encoding, self.time_limit)
        except TimeoutError:
            log.info("profile picture: not used, encoding it took longer than %s s", self.time_limit)
            return None


@contextmanager
def open_picture_encoding() -> Iterator[PictureEncoding]:
    """Open the threads; those at work are not waited for when the context ends."""
    threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="picture")
    try:
        yield PictureEncoding(threads=threads)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def encode(content: bytes) -> bytes | None:
    """Return a picture as a JPEG of at most 132 by 132 pixels, without metadata; None if it cannot be read.

    Takes the first frame of a JPEG, PNG, WebP or GIF file of at most 2048 by 2048 pixels, whole and by its content
    alone. The longer side becomes 132 pixels, transparency white, which makes at most 32 KiB. Colours are taken as
    sRGB: no colour profile is parsed. The largest WebP needs 82 MiB and a fifth of a second.
    """
    try:
        return _encoded(content)
    except Exception as fault:  # noqa: BLE001 - Pillow raises many kinds for broken files; none may end a login
        log.info("profile picture: not used: %s", type(fault).__name__)
        return None


def _encoded(content: bytes) -> bytes:
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > _MOST_SCANS:
        raise Image.DecompressionBombError("too many scans")
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        if max(image.size) > _LONGEST_SIDE:
            raise Image.DecompressionBombError("too many pixels")
        return _jpeg(image)


def _jpeg(image: Image.Image) -> bytes:
    image.draft(None, (2 * SIDE, 2 * SIDE))  # a large JPEG is decoded at a fraction of its size
    ImageOps.exif_transpose(image, in_place=True)
    whole = image if image.mode == "RGBA" else image.convert("RGBA")
    whole.thumbnail((SIDE, SIDE))
    picture = Image.new("RGB", whole.size, "white")  # new, for Pillow would write what it has read of comments
    picture.paste(whole, mask=whole)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
