"""WeChat's pages of `open.weixin.qq.com` (wechat-protocol.md 5, 6, 7): they ask a person, or say what is wrong."""

import html
from collections.abc import Mapping
from string import Template
from typing import Final

from aiohttp import web

from sandbox.authorization.consents import Consent
from sandbox.authorization.inside import AUTHORIZE, in_wecom, person_inside
from sandbox.authorization.requests import Request, Unusable, read_inside, read_website
from sandbox.authorization.sns_api import AUTHORIZATION
from sandbox.authorization.words import ASKS, LOGIN
from sandbox.errors import Impossible, Unknown
from sandbox.phone_page import WEB
from sandbox.qr_image import png
from sandbox.wecom.requests import read_in_wecom

_HEADERS: Final = {
    # The pages may be framed. A form-action would also forbid the redirect to the site.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_NUMBERS: Final = {"waiting": 408, "scanned": 404, "allowed": 405, "refused": 403, "expired": 402}
"""By which WeChat's page learns the state of a login (wechat-protocol.md 5)."""
_NOT_INSIDE: Final = "请在微信客户端打开链接"
_BAD_LINK: Final = "该链接无法访问"


async def _login(request: web.Request) -> web.Response:
    """Show the QR code of a website's login; `style`, `href` and the other looks are accepted and ignored."""
    authorization = request.app[AUTHORIZATION]
    try:
        asked = read_website(request.rel_url.raw_query_string, authorization.apps)
    except Unusable as e:
        return fault(e)
    return asking(request, "login", asked, LOGIN, in_frame=request.query.get("self_redirect") == "true")


def asking(
    request: web.Request,
    template: str,
    asked: Request,
    words: Mapping[str, Mapping[str, str]],
    *,
    in_frame: bool,
    **about: str,
) -> web.Response:
    """Return a page on which a person consents, and which then leaves itself or, if not *in_frame*, the window."""
    consent = request.app[AUTHORIZATION].ask(asked)
    told = words["en" if request.query.get("lang") == "en" else "zh"]
    about |= {"name": asked.app.name, "consent": consent.id, "target": "self" if in_frame else "top"}
    return page(template, **told, **about)


async def _login_code(request: web.Request) -> web.Response:
    consent = _consent(request, request.match_info["consent"])
    return web.Response(body=png(request.app[AUTHORIZATION].address(consent)), content_type="image/png")


async def _login_state(request: web.Request) -> web.Response:
    """Tell the page its state, and where it goes; WeChat answers the same as a script that sets two variables."""
    consent = _consent(request, request.query.get("uuid", ""))
    state = request.app[AUTHORIZATION].state(consent)
    body = {"wx_errcode": _NUMBERS[state], "address": consent.address}
    return web.json_response(body, headers={"Cache-Control": "no-store"})


async def _authorize(request: web.Request) -> web.Response:
    """Go back to an account's page at once, or ask the person first."""
    authorization, person = request.app[AUTHORIZATION], person_inside(request)
    if person is None:
        return notice(_NOT_INSIDE)
    query = request.rel_url.raw_query_string
    try:
        if in_wecom(request):
            asked = read_in_wecom(query, authorization.enterprises)
        else:
            asked = read_inside(query, authorization.apps)
        answer = authorization.enter(asked, person)
    except Unusable as e:
        return fault(e)
    if isinstance(answer, str):
        return _redirect(answer)
    words = ASKS["zh" if person.language.startswith("zh") else "en"]
    about = {"name": asked.app.name, "nickname": person.nickname, "consent": answer.id}
    return page("authorize", **words, **about, path=AUTHORIZE)


async def _answer(request: web.Request) -> web.Response:
    """Take the person's answer to `_authorize`."""
    given, person = await request.post(), person_inside(request)
    if person is None:
        return notice(_NOT_INSIDE)
    authorization, consent = request.app[AUTHORIZATION], _consent(request, str(given.get("consent")))
    decide = authorization.allow if given.get("answer") == "allow" else authorization.refuse
    try:
        address = decide(person, consent).address
    except Impossible as e:
        return notice(_BAD_LINK, str(e))
    return _redirect(address) if address else notice(_BAD_LINK)


def _consent(request: web.Request, text: str) -> Consent:
    try:
        return request.app[AUTHORIZATION].consent(text)
    except Unknown as e:
        raise web.HTTPNotFound from e


def fault(unusable: Unusable) -> web.Response:
    """Return the page that says why an address is no request."""
    number = f"，错误码：{unusable.number}" if unusable.number else ""
    return notice(_BAD_LINK, unusable.reason + number)


def notice(title: str, reason: str = "", *, lang: str = "zh-CN", status: int = 200) -> web.Response:
    """Return a page that says what is wrong; the status of WeChat's own is 200."""
    response = page("notice", title=title, reason=reason, lang=lang)
    response.set_status(status)
    return response


def page(template: str, /, **words: str) -> web.Response:
    """Return a page of sandbox/web/, with these texts in it."""
    filled = Template((WEB / f"{template}.html").read_text("utf-8")).substitute(
        {key: html.escape(word) for key, word in words.items()}
    )
    return web.Response(text=filled, content_type="text/html", headers=_HEADERS)


def _redirect(address: str) -> web.Response:
    # HTTPFound would write the address in another way than the site did.
    return web.Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})


def add_routes(app: web.Application) -> None:
    """Add the pages, and what they load and send."""
    app.router.add_get("/connect/qrconnect", _login)
    app.router.add_get("/connect/qrcode/{consent}", _login_code)
    app.router.add_get("/connect/l/qrconnect", _login_state)
    app.router.add_get(AUTHORIZE, _authorize)
    app.router.add_post(AUTHORIZE, _answer)
