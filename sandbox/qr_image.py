"""Draws QR codes."""

import io

import segno

_BORDER = 4


def png(text: str, *, width: int | None = None) -> bytes:
    """Return a picture of a QR code with this text, at most `width` pixels wide."""
    image, code = io.BytesIO(), segno.make(text, error="m", micro=False)
    scale = width // code.symbol_size(border=_BORDER)[0] if width else 10
    code.save(image, kind="png", scale=scale, border=_BORDER)
    return image.getvalue()
