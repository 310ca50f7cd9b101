"""Draws QR codes."""

import io

import segno


def png(text: str) -> bytes:
    """Return a picture of a QR code with this text."""
    image = io.BytesIO()
    segno.make(text, error="m", micro=False).save(image, kind="png", scale=10, border=4)
    return image.getvalue()
