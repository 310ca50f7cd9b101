"""The control API of WeCom: members and outsiders, and faults; see sandbox/control_api.py.

`corp` is a CorpID; default: the first. Logins are listed and answered as in authorization/consent_api.py.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from sandbox.access import CONTROL
from sandbox.authorization.sns_api import AUTHORIZATION
from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.control_requests import Ask, endpoint
from sandbox.serializers import Json

_Act = Callable[[WebAuthorization, Ask], Awaitable[Json]]


async def _apps(authorization: WebAuthorization, _ask: Ask) -> Json:
    """GET wecom_apps -> {"wecom_apps":[...]}: all applications in WeCom, without their secrets."""
    names: Final = ("corpid", "agentid", "name", "domain")
    apps = authorization.enterprises.apps
    return {"wecom_apps": [{name: getattr(app, name) for name in names} for app in apps]}


async def _member(authorization: WebAuthorization, ask: Ask) -> Json:
    """GET member?user=[&corp=] -> {"userid"}: null for an outsider."""
    return {"userid": authorization.enterprises.userid(ask.text("user"), corpid=ask.maybe("corp"))}


async def _enroll(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST enroll {"user","userid"?,"corp"?} -> {"userid"}: the user is a member now; letters of any case."""
    user, userid = ask.text("user"), ask.maybe("userid")
    return {"userid": authorization.enterprises.enroll(user, userid, corpid=ask.maybe("corp"))}


async def _dismiss(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST dismiss_member {"user","corp"?} -> {"userid"}: null, the user is an outsider now."""
    authorization.enterprises.dismiss(ask.text("user"), corpid=ask.maybe("corp"))
    return await _member(authorization, ask)


async def _trust(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST trust {"ip"?} -> {"trusted"}: from now on only listed addresses may call, and this one is listed.

    Others get 60020.
    """
    enterprises, ip = authorization.enterprises, ask.maybe("ip")
    enterprises.trusted = (enterprises.trusted or set()) | ({ip} if ip else set())
    return {"trusted": sorted(enterprises.trusted)}


async def _trust_all(authorization: WebAuthorization, _ask: Ask) -> Json:
    """POST trust_all {} -> {"trusted"}: null, every address may call."""
    authorization.enterprises.trusted = None
    return {"trusted": None}


async def _spelling(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST older_spelling {"on"?} -> {"on"}: write UserId and OpenId, or not."""
    authorization.enterprises.is_older = ask.flag("on", default=True)
    return {"on": authorization.enterprises.is_older}


async def _revoke(authorization: WebAuthorization, ask: Ask) -> Json:
    """POST revoke_token {"corp"?} -> {}: the access tokens of the enterprise end before their time."""
    enterprises = authorization.enterprises
    corpid = enterprises.app(ask.maybe("corp")).corpid
    for app in enterprises.apps:
        if app.corpid == corpid:
            enterprises.tokens.revoke(app)
    return {}


_ENDPOINTS: Final[tuple[tuple[str, str, _Act], ...]] = (
    ("GET", "wecom_apps", _apps),
    ("GET", "member", _member),
    ("POST", "enroll", _enroll),
    ("POST", "dismiss_member", _dismiss),
    ("POST", "trust", _trust),
    ("POST", "trust_all", _trust_all),
    ("POST", "older_spelling", _spelling),
    ("POST", "revoke_token", _revoke),
)


def add_routes(app: web.Application) -> None:
    """Add these endpoints to the control API."""
    for method, name, act in _ENDPOINTS:
        app.router.add_route(method, CONTROL + name, endpoint(AUTHORIZATION, act))
