"""Draws QR codes. A picture's address is a capability that contains the code's content: nothing is looked up."""

import io
import re
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import segno
from aiohttp import web

from handlers.http import pictures
from handlers.http.responses import seconds_left
from handlers.tickets.schemas import Code, Panel, SendTo
from models.errors import InvalidRequest, NotFound
from models.picture import PNG
from models.scene import TicketHeader
from service.app_keys import CLOCK, KEYRING, SETTINGS, TICKET_ISSUER
from service.crypto.keyring import ClientKeys
from service.tickets.method import Shown

_SMALLEST, _LARGEST, _USUAL = 128, 1024, 360
_BORDER: Final = 4
_DIGITS: Final = re.compile(r"[0-9]{1,5}")
_CODES_KEPT: Final = 256
"""5 KB each, and 38 KB for the longest URL that WeChat may return (service/wechat/api.py): 10 MB at most."""
_PANEL_MAY: Final = "local-network-access *; loopback-network *"
"""WeChat's page asks the WeChat on this computer to sign in without a scan (wechat-protocol.md 5).

With `*`, because the frame begins at our address: without it, only our origin would get the permission.
"""
_PANEL_SANDBOX: Final = "allow-scripts allow-same-origin"
"""No navigation of the site's page: WeChat's page returns within the frame."""
_PNGS_KEPT: Final = 4096
"""A kilobyte each, 3.3 KB at most: 14 MB.

Drawing one takes as long as thirty other requests, so a caller must not be able to repeat it."""


async def code(request: web.Request, holder: tuple[TicketHeader, ClientKeys]) -> Code:
    """Return what a ticket shows, for a page whose back end created the ticket.

    Until the ticket expires, even if it has ended: a page reads from its status whether scanning still helps.
    """
    head, keys = holder
    what = await request.app[TICKET_ISSUER].shown(head, keys)
    left = seconds_left(head.expires_at, request.app[CLOCK]())
    if not left or what == Shown():
        raise NotFound("the ticket has expired, or its QR code is known only to the page that created it")
    return Code(
        ticket=head.ticket,
        purpose=head.purpose,
        method=head.method,
        methods=list(request.app[SETTINGS].clients[keys.client].methods),
        **shown(request, what, head.expires_at),
        expires_at=head.expires_at,
        expires_in=left,
    )


def shown(request: web.Request, what: Shown, expires_at: datetime) -> dict[str, Any]:
    """Return the fields of `schemas.Shown`; the paths of pictures work until *expires_at*."""
    fields: dict[str, Any] = {}
    if what.qr_url:
        picture = f"/v1/qr/{request.app[KEYRING].seal_qr(what.qr_url, expires_at)}"
        fields |= {"qr_url": what.qr_url, "qr_svg": f"{picture}.svg", "qr_png": f"{picture}.png"}
    if what.picture:
        fields["qr_png"] = what.picture
    if what.open_url:
        fields["open_url"] = what.open_url
    if to := what.passcode:
        fields |= {"passcode": to.code, "send_to": SendTo(name=to.account, qr_png=to.picture or None)}
    if what.authorize_url:
        fields["authorize_url"] = what.authorize_url
    if what.panel_url:
        fields["panel"] = Panel(src=what.panel_url, allow=_PANEL_MAY, sandbox=_PANEL_SANDBOX)
    return fields


async def svg(request: web.Request) -> web.Response:
    """Draw the QR code as SVG."""
    url, left = _opened(request)
    picture = io.BytesIO()
    _made(url).save(
        picture,
        kind="svg",
        border=_BORDER,
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        omitsize=True,
        light="#fff",
    )
    return pictures.picture(request, picture.getvalue(), "image/svg+xml", caching=pictures.until(left))


async def png(request: web.Request) -> web.Response:
    """Draw the QR code as PNG, about `?size=` pixels wide.

    A module is a whole number of pixels, so that it scans well.
    """
    url, left = _opened(request)
    scale = max(1, _size(request) // _made(url).symbol_size(border=_BORDER)[0])
    return pictures.picture(request, _png(url, scale), PNG, caching=pictures.until(left))


@lru_cache(maxsize=_CODES_KEPT)
def _made(url: str) -> segno.QRCode:
    return segno.make(url, micro=False, error="m")


@lru_cache(maxsize=_PNGS_KEPT)
def _png(url: str, scale: int) -> bytes:
    picture = io.BytesIO()
    _made(url).save(picture, kind="png", border=_BORDER, scale=scale)
    return picture.getvalue()


def _opened(request: web.Request) -> tuple[str, float]:
    """Return the content of the code, and for how many more seconds its address works."""
    opened = request.app[KEYRING].open_qr(request.match_info["capability"])
    left = (opened[1] - request.app[CLOCK]()).total_seconds() if opened else 0
    if opened is None or left <= 0:
        raise NotFound("unknown or expired QR code")
    return opened[0], left


def _size(request: web.Request) -> int:
    given = request.query.get("size", str(_USUAL))
    size = int(given) if _DIGITS.fullmatch(given) else 0
    if not _SMALLEST <= size <= _LARGEST:
        raise InvalidRequest(f"size: must be from {_SMALLEST} to {_LARGEST}")
    return size
