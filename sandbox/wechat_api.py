"""Emulates WeChat's HTTP API (wechat-protocol.md 1, 2, 4, 8). Errors are JSON with status 200."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from sandbox.account_state import AccountState
from sandbox.chat import menu_link
from sandbox.codes import read_object
from sandbox.emulator import Sandbox
from sandbox.errors import Refused, Unknown
from sandbox.faults import MESSAGE_REFUSALS, MessageFault
from sandbox.qr_image import png
from sandbox.tokens import TokenStore

SANDBOX: Final = web.AppKey("sandbox", Sandbox)

_Answer = Callable[[Sandbox, web.Request], Awaitable[dict[str, object]]]
_OK: Final = {"errcode": 0, "errmsg": "ok"}


def _endpoint(answer: _Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the request handler that sends an answer, or a Refused, as JSON."""

    async def handler(request: web.Request) -> web.Response:
        try:
            body = await answer(request.app[SANDBOX], request)
        except Refused as e:
            body = e.body()
        return web.json_response(body)

    return handler


def _state(sandbox: Sandbox, request: web.Request) -> AccountState:
    return sandbox.authorize(request.query.get("access_token"))


def _permitted(sandbox: Sandbox, request: web.Request) -> AccountState:
    """Return the account of a call that needs a permission."""
    state = _state(sandbox, request)
    if not state.account.verified:
        raise Refused(48001)
    return state


def _tokens(sandbox: Sandbox, appid: object) -> TokenStore:
    """Return the tokens of the account or app with this appid; of an unknown one the first's, which refuse."""
    if isinstance(appid, str) and appid in sandbox.app_tokens:
        return sandbox.app_tokens[appid]
    try:
        return sandbox.state(appid if isinstance(appid, str) else None).tokens
    except Unknown:
        return sandbox.state().tokens


async def _token(sandbox: Sandbox, request: web.Request) -> dict[str, object]:
    if request.method != "GET":
        raise Refused(43001)
    return _tokens(sandbox, request.query.get("appid")).classic(request.query, now=sandbox.clock())


async def _stable_token(sandbox: Sandbox, request: web.Request) -> dict[str, object]:
    if request.method != "POST":
        raise Refused(43002)
    asked = read_object(await request.read())
    return _tokens(sandbox, asked.get("appid")).stable(asked, now=sandbox.clock())


async def _create_code(sandbox: Sandbox, request: web.Request) -> dict[str, object]:
    if request.method != "POST":
        raise Refused(43002)
    state = _permitted(sandbox, request)
    code = state.codes.create(await request.read(), public_url=sandbox.public_url, now=sandbox.clock())
    lifetime: dict[str, object] = {} if code.lifetime is None else {"expire_seconds": code.lifetime}
    return {"ticket": code.ticket, **lifetime, "url": code.url}


async def _user_info(sandbox: Sandbox, request: web.Request) -> dict[str, object]:
    return _permitted(sandbox, request).user_info(request.query.get("openid"), now=sandbox.clock())


async def _change_openid(sandbox: Sandbox, request: web.Request) -> dict[str, object]:
    if request.method != "POST":
        raise Refused(43002)
    state, asked = _state(sandbox, request), read_object(await request.read())
    results = sandbox.migrations.translate(state.account, asked, now=sandbox.clock())
    return {**_OK, "result_list": results}


async def _callback_ip(sandbox: Sandbox, request: web.Request) -> dict[str, object]:
    _state(sandbox, request)
    return {"ip_list": ["127.0.0.1", "::1"]}


async def _clear_quota(sandbox: Sandbox, request: web.Request) -> dict[str, object]:
    if request.method != "POST":
        raise Refused(43002)
    state = _state(sandbox, request)
    state.clear_quota(read_object(await request.read()).get("appid"), now=sandbox.clock())
    return dict(_OK)


async def _custom_send(sandbox: Sandbox, request: web.Request) -> dict[str, object]:
    if request.method != "POST":
        raise Refused(43002)
    state = _permitted(sandbox, request)
    message = read_object(await request.read())
    if state.message_fault in MESSAGE_REFUSALS:
        raise Refused(MESSAGE_REFUSALS[state.message_fault])
    contact = state.by_openid(message.get("touser"))
    text = _message_text(message)
    contact.allowance.spend(now=sandbox.clock())
    contact.write("account", text, now=sandbox.clock())
    if state.message_fault is MessageFault.CUT and request.transport is not None:
        request.transport.close()
    return dict(_OK)


def _message_text(message: dict[str, object]) -> str:
    """Return the text of a customer message; the entries of a msgmenu become links (wechat-protocol.md 3.6)."""
    kind = message.get("msgtype")
    inside = message.get(kind) if isinstance(kind, str) else None
    if kind not in ("text", "msgmenu") or not isinstance(inside, dict):
        raise Refused(40008)
    text = inside.get("content") if kind == "text" else _menu_text(inside)
    if not isinstance(text, str) or not text.strip():
        raise Refused(44004)
    return text


def _menu_text(menu: dict[str, object]) -> str:
    entries = menu.get("list")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Refused(47001)
    links = (menu_link(str(entry.get("content", "")), menu_id=str(entry.get("id", ""))) for entry in entries)
    lines = [menu.get("head_content"), *links, menu.get("tail_content")]
    return "\n".join(str(line) for line in lines if line)


async def _show_code(request: web.Request) -> web.Response:
    """Return the image of a QR code, without authentication; 404 for an unknown ticket."""
    sandbox, ticket = request.app[SANDBOX], request.query.get("ticket", "")
    try:
        code = sandbox.code(ticket)
    except Unknown as e:
        raise web.HTTPNotFound from e
    if code.ticket != ticket:
        raise web.HTTPNotFound
    return web.Response(body=png(code.url), content_type="image/png")


def add_routes(app: web.Application) -> None:
    """Add the endpoints of api.weixin.qq.com and mp.weixin.qq.com, which refuse wrong methods as WeChat does."""
    for path, answer in _ENDPOINTS.items():
        app.router.add_route("*", path, _endpoint(answer))
    app.router.add_get("/cgi-bin/showqrcode", _show_code)


_ENDPOINTS: Final[dict[str, _Answer]] = {
    "/cgi-bin/token": _token,
    "/cgi-bin/stable_token": _stable_token,
    "/cgi-bin/qrcode/create": _create_code,
    "/cgi-bin/user/info": _user_info,
    "/cgi-bin/changeopenid": _change_openid,
    "/cgi-bin/clear_quota": _clear_quota,
    "/cgi-bin/getcallbackip": _callback_ip,
    "/cgi-bin/message/custom/send": _custom_send,
}
