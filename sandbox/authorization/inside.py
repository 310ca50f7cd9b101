"""Which browser is the one inside WeChat, and whose: its User-Agent names `MicroMessenger` and the user.

That of WeCom names `wxwork` as well.
"""

import re
from typing import Final

from aiohttp import web

from sandbox.errors import Unknown
from sandbox.people import Person
from sandbox.wechat_api import SANDBOX

AUTHORIZE: Final = "/connect/oauth2/authorize"
_USER_AGENT: Final = re.compile(r"\bMicroMessenger/.*\bSandboxUser/(u_[0-9a-f]+)")


def user_agent(person: Person, *, wecom: bool = False) -> str:
    """Return the User-Agent of the person's browser inside WeChat, or inside WeCom."""
    client = "wxwork/4.1.10 MicroMessenger/7.0.1" if wecom else "MicroMessenger/8.0.54"
    return (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile "
        f"Safari/537.36 {client} NetType/WIFI Language/{person.language} SandboxUser/{person.id}"
    )


def in_wecom(request: web.Request) -> bool:
    """Return whether the browser is the one inside WeCom."""
    return "wxwork/" in request.headers.get("User-Agent", "")


def person_inside(request: web.Request) -> Person | None:
    """Return in whose WeChat or WeCom the page was opened; None in other browsers."""
    named = _USER_AGENT.search(request.headers.get("User-Agent", ""))
    try:
        return request.app[SANDBOX].people.get(named[1]) if named else None
    except Unknown:
        return None
