"""Which browser is one inside WeChat, and whose.

There are two signs. Tests give a browser a User-Agent that names `MicroMessenger` and, as `SandboxUser/`, a user.
The phone page opens pages in windows of the same browser, whose User-Agent stays as it is, and sets a cookie: for
some minutes, pages in other windows of that browser count as inside WeChat, too.
"""

import re
from typing import Final

from aiohttp import web

from sandbox.authorization.requests import is_web_address
from sandbox.errors import Unknown
from sandbox.people import Person
from sandbox.wechat_api import SANDBOX

AUTHORIZE: Final = "/connect/oauth2/authorize"
_COOKIE: Final = "sandbox_user"
_LASTS: Final = 600
"""Seconds."""
_USER_AGENT: Final = re.compile(r"\bMicroMessenger/.*\bSandboxUser/(u_[0-9a-f]+)")


def user_agent(person: Person) -> str:
    """Return the User-Agent of the person's browser inside WeChat."""
    return (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile "
        f"Safari/537.36 MicroMessenger/8.0.54 NetType/WIFI Language/{person.language} SandboxUser/{person.id}"
    )


def person_inside(request: web.Request) -> Person | None:
    """Return in whose WeChat the page was opened; None outside of WeChat."""
    match = _USER_AGENT.search(request.headers.get("User-Agent", ""))
    named = match[1] if match else request.cookies.get(_COOKIE)
    try:
        return request.app[SANDBOX].people.get(named) if named else None
    except Unknown:
        return None


async def open_page(request: web.Request) -> web.Response:
    """GET open?user=&url= -> redirect to the page, opened inside the user's WeChat; url is http or https."""
    url, user = request.query.get("url", ""), request.query.get("user", "")
    if not is_web_address(url):
        return web.json_response({"error": "url: must begin with http:// or https://"}, status=400)
    try:
        person = request.app[SANDBOX].people.get(user)
    except Unknown as e:
        return web.json_response({"error": str(e)}, status=404)
    response = web.Response(status=302, headers={"Location": url, "Cache-Control": "no-store"})
    response.set_cookie(_COOKIE, person.id, max_age=_LASTS, path=AUTHORIZE, httponly=True, samesite="Lax")
    return response
