"""Security headers of the service's own pages: only its own scripts, no referrer, no caching."""

from collections.abc import Collection
from typing import Final

from aiohttp import web

_FEATURES: Final = (
    "accelerometer", "autoplay", "camera", "clipboard-read", "clipboard-write", "display-capture",
    "encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts",
    "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "publickey-credentials-create",
    "publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb", "xr-spatial-tracking",
)  # fmt: skip
"""Browser features, all switched off. Each must be named: there is no wildcard."""
PRIVATE: Final = {
    # Proxies that hide mail addresses or add scripts would damage the page: its policy forbids their scripts.
    "Cache-Control": "no-store, no-transform",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
}
"""Headers of a page for one person only, and of the redirect to it."""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action {forms}; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'; "
    "frame-ancestors {framers}"
)
_NONE: Final = "'none'"
_SELF: Final = "'self'"


def page(text: str, *, framers: Collection[str] = (), status: int = 200, has_form: bool = False) -> web.Response:
    """Return an HTML page that only pages of the origins *framers* may frame.

    With *has_form* it may submit a form to the service, and the browser sends the page's origin with it: under
    `no-referrer` it would send `Origin: null` (Fetch, "append a request Origin header").
    """
    policy = _POLICY.format(forms=_SELF if has_form else _NONE, framers=" ".join(framers) or _NONE)
    headers = {**PRIVATE, "Content-Security-Policy": policy}
    if has_form:
        headers["Referrer-Policy"] = "same-origin"
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
