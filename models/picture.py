"""Pictures: which kinds of files the service takes and serves."""

from collections.abc import Mapping
from typing import Final

PNG, JPEG = "image/png", "image/jpeg"
_BEGINNINGS: Final[Mapping[bytes, str]] = {b"\x89PNG\r\n\x1a\n": PNG, b"\xff\xd8\xff": JPEG}


def media_type(content: bytes) -> str | None:
    """Return the media type of a PNG or JPEG file, by how it begins; None for any other content."""
    return next((kind for beginning, kind in _BEGINNINGS.items() if content.startswith(beginning)), None)
