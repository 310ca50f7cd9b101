"""What browsers may do with a page of the service: run its own scripts, tell nobody, and keep nothing of it."""

from collections.abc import Collection
from typing import Final

from aiohttp import web

_POWERS: Final = (
    "accelerometer", "autoplay", "bluetooth", "camera", "clipboard-read", "clipboard-write", "display-capture",
    "encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts",
    "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "publickey-credentials-create",
    "publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb", "xr-spatial-tracking",
)  # fmt: skip
"""What browsers can lend to a page; ours need none of it. Each is named, for there is no word for all."""
PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{power}=()" for power in _POWERS),
}
"""Headers of a page that one person alone sees, and of the way to it."""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action {forms}; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'; "
    "frame-ancestors {framers}"
)
_NOBODY: Final = "'none'"
_ITSELF: Final = "'self'"


def page(text: str, *, framers: Collection[str] = (), status: int = 200, has_form: bool = False) -> web.Response:
    """Return a page of the service, which pages of the origins *framers* may frame, and no others.

    If it *has_form*, the form may be sent to the service itself, and with it goes the page's origin: under
    `no-referrer` browsers send `Origin: null` (Fetch, "append a request Origin header").
    """
    policy = _POLICY.format(forms=_ITSELF if has_form else _NOBODY, framers=" ".join(framers) or _NOBODY)
    headers = {**PRIVATE, "Content-Security-Policy": policy}
    if has_form:
        headers["Referrer-Policy"] = "same-origin"
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
