"""The page of a login with WeCom: a person of the sandbox is chosen there, and consents or refuses.

The page answers by the control API (sandbox/authorization/consent_api.py).
"""

from typing import Final

from aiohttp import web

from sandbox.authorization.pages import asking, fault
from sandbox.authorization.requests import Unusable
from sandbox.authorization.sns_api import AUTHORIZATION
from sandbox.wecom.requests import read_login
from sandbox.wecom.words import LOGIN

LOGIN_PATH: Final = "/wwlogin/sso/login"


async def _login(request: web.Request) -> web.Response:
    authorization = request.app[AUTHORIZATION]
    try:
        asked = read_login(request.rel_url.raw_query_string, authorization.enterprises)
    except Unusable as e:
        return fault(e)
    in_frame = request.query.get("redirect_type") == "self"
    return asking(request, "wecom", asked, LOGIN, in_frame=in_frame, corp=asked.app.appid)


def add_routes(app: web.Application) -> None:
    """Add the page."""
    app.router.add_get(LOGIN_PATH, _login)
