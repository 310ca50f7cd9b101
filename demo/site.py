"""What every view shares: the parts of the shop, who asks, what they sent, and how to answer."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from demo.pages import Html, fragment, page
from demo.scanbind import Scanbind
from demo.sessions import Session, Sessions
from demo.users import User, Users
from demo.words import CODE


@dataclass(frozen=True, slots=True)
class Site:
    """What the shop is made of. `scanbind_url` and `phone_url` are as browsers reach them."""

    scanbind: Scanbind
    scanbind_url: str
    client_id: str
    phone_url: str
    lang: str
    users: Users
    sessions: Sessions


SITE: Final = web.AppKey("site", Site)
SESSION: Final = web.RequestKey("session", Session)


def current_user(request: web.Request) -> User | None:
    """Return who is signed in."""
    return request.app[SITE].users.get(request[SESSION].user_id or "")


def go(path: str) -> web.Response:
    """Send the browser on with a GET."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path})


def problem(slug: str, *, status: HTTPStatus) -> web.Response:
    """Return an answer for shop.js, in scanbind's own form, so that the page reads both the same way."""
    return web.json_response(
        {"type": f"/problems/{slug}", "title": status.phrase, "status": status},
        status=status,
        content_type="application/problem+json",
    )


def show(request: web.Request, name: str, *, notice: str = "", status: int = 200, **values: str) -> web.Response:
    """Return the page *name*, with *notice* or what the session has to say."""
    session, user = request[SESSION], current_user(request)
    notice, session.notice = notice or session.notice, ""
    lang = request.app[SITE].lang
    return page(name, lang=lang, user=user.name if user else None, notice=notice, status=status, **values)


def code_panel(request: web.Request, *, purpose: str) -> Html:
    """Return the place where shop.js shows the code of a *purpose* ticket."""
    site = request.app[SITE]
    return fragment(
        "code",
        lang=site.lang,
        purpose=purpose,
        scanbind=site.scanbind_url,
        client=site.client_id,
        state=request[SESSION].state,
        lang_code=site.lang,
        code_words=json.dumps(CODE[site.lang], ensure_ascii=False),
        phone_url=site.phone_url,
    )


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the object a page sent; 400 when it is none."""
    try:
        body = await request.json()
    except (ValueError, LookupError):  # not JSON, not text, or of a charset nobody knows
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest
    return body


async def read_field(request: web.Request, name: str) -> str:
    """Return one field of a form, empty when it is not there; 400 when the form cannot be read."""
    try:
        value = (await request.post()).get(name, "")
    except (ValueError, LookupError) as e:
        raise web.HTTPBadRequest from e
    return value if isinstance(value, str) else ""
