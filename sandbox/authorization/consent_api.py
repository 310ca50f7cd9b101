"""The control API of web authorization: what is asked, and what people answer; see sandbox/control_api.py.

`consent` is the id of a consent, or the address of its QR code; `website` is an appid.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from sandbox.access import CONTROL
from sandbox.account import Website
from sandbox.authorization.consents import Consent
from sandbox.authorization.sns_api import AUTHORIZATION
from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.control_requests import Ask, endpoint
from sandbox.faults import PictureFault, SnsFault
from sandbox.serializers import Json

_Act = Callable[[WebAuthorization, Ask], Awaitable[Json]]


async def _websites(authorization: WebAuthorization, _ask: Ask) -> Json:
    """GET websites -> {"websites":[...]}: all website applications, without their secrets."""
    return {"websites": [_website(website) for website in authorization.websites]}


async def _move(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST move_website {"website","open_platform"?} -> the website, bound to this word alone, or to none."""
    return _website(authorization.move(ask.text("website"), to=ask.maybe("open_platform")))


async def _consents(authorization: WebAuthorization, ask: Ask) -> Json:
    """GET consents[?appid=] -> {"consents":[...]}: those that can be answered, newest first."""
    found = authorization.open_consents(ask.maybe("appid"))
    return {"consents": [_consent(authorization, consent) for consent in found]}


async def _scan(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST scan_consent {"user","consent"} -> the consent: its QR code is scanned, and the phone asks."""
    return _consent(authorization, authorization.scan(ask.text("user"), ask.text("consent")))


async def _allow(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST allow {"user","consent"} -> the consent; `address` is where the browser goes, with a code."""
    return _consent(authorization, authorization.allow(ask.text("user"), ask.text("consent")))


async def _refuse(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST refuse {"user","consent"} -> the consent; `address` is null for a website, whose page stays."""
    return _consent(authorization, authorization.refuse(ask.text("user"), ask.text("consent")))


async def _snapshots(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST snapshots {"user","on"?} -> as authorization: show pages as snapshots, to a virtual person, or not."""
    authorization.show_snapshots(ask.text("user"), on=ask.flag("on", default=True))
    return await _settings(authorization, ask)


async def _fault(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST sns_fault {"fault"?} -> {"fault"}: switch on a value of faults.SnsFault for all `sns` calls, or off."""
    authorization.fault = ask.word("fault", SnsFault)
    return {"fault": authorization.fault}


async def _picture_fault(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST picture_fault {"user"?,"fault"?} -> {"fault"}: switch on a value of faults.PictureFault, or off.

    It is for this user's picture; without a user, for those of all who have no fault of their own.
    """
    fault = ask.word("fault", PictureFault)
    authorization.pictures.set_fault(ask.maybe("user"), fault)
    return {"fault": fault}


async def _settings(authorization: WebAuthorization, ask: Ask) -> Json:
    """GET authorization?user= -> {"snapshots","sns_fault","picture_fault"}: what is switched on for the user."""
    user = ask.text("user")
    return {
        "snapshots": authorization.shows_snapshots(user),
        "sns_fault": authorization.fault,
        "picture_fault": authorization.picture_fault(user),
    }


def _website(value: Website) -> Json:
    names: Final = ("appid", "name", "domain", "open_platform")
    return {name: getattr(value, name) for name in names}


def _consent(authorization: WebAuthorization, value: Consent) -> Json:
    """`user` is who scanned the QR code or opened the page, or null; times are seconds since 1970."""
    return {
        "id": value.id,
        "appid": value.request.app.appid,
        "name": value.request.app.name,
        "scope": value.request.scope,
        "state": authorization.state(value),
        "user": value.person.id if value.person else None,
        "url": authorization.address(value),
        "created_at": value.created_at,
        "expires_at": value.expires_at,
        "address": value.address,
    }


_ENDPOINTS: Final[tuple[tuple[str, str, _Act], ...]] = (
    ("GET", "websites", _websites),
    ("GET", "consents", _consents),
    ("GET", "authorization", _settings),
    ("POST", "move_website", _move),
    ("POST", "scan_consent", _scan),
    ("POST", "allow", _allow),
    ("POST", "refuse", _refuse),
    ("POST", "snapshots", _snapshots),
    ("POST", "sns_fault", _fault),
    ("POST", "picture_fault", _picture_fault),
)


def add_routes(app: web.Application) -> None:
    """Add these endpoints to the control API."""
    for method, name, act in _ENDPOINTS:
        app.router.add_route(method, CONTROL + name, endpoint(AUTHORIZATION, act))
