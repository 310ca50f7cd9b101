"""Which browser is the one inside WeChat, and whose: its User-Agent names `MicroMessenger` and the user."""

import re
from typing import Final

from aiohttp import web

from sandbox.errors import Unknown
from sandbox.people import Person
from sandbox.wechat_api import SANDBOX

AUTHORIZE: Final = "/connect/oauth2/authorize"
_USER_AGENT: Final = re.compile(r"\bMicroMessenger/.*\bSandboxUser/(u_[0-9a-f]+)")


def user_agent(person: Person) -> str:
    """Return the User-Agent of the person's browser inside WeChat."""
    return (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile "
        f"Safari/537.36 MicroMessenger/8.0.54 NetType/WIFI Language/{person.language} SandboxUser/{person.id}"
    )


def person_inside(request: web.Request) -> Person | None:
    """Return in whose WeChat the page was opened; None outside of WeChat."""
    named = _USER_AGENT.search(request.headers.get("User-Agent", ""))
    try:
        return request.app[SANDBOX].people.get(named[1]) if named else None
    except Unknown:
        return None
