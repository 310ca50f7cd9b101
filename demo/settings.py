"""The settings of an account: the WeChat it has, connecting one, parting from it."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

from demo.pages import Html, fragment
from demo.scanbind import ScanbindError
from demo.site import SESSION, SITE, code_panel, current_user, go, problem, read_field, read_json, show


async def settings(request: web.Request) -> web.StreamResponse:
    """Show the WeChat of the account, or the code that connects one."""
    site, user = request.app[SITE], current_user(request)
    if user is None:
        return go("/login")
    try:
        found = await site.scanbind.bindings(user.id)
    except ScanbindError:
        status = HTTPStatus.BAD_GATEWAY
        return show(request, "settings", notice="unreachable", status=status, bindings="", connect="")
    rows = [fragment("binding", lang=site.lang, account=one["account"], bound_at=one["bound_at"]) for one in found]
    connect = "" if found else fragment("connect", lang=site.lang, code=code_panel(request, purpose="bind"))
    return show(request, "settings", bindings=Html("".join(rows)), connect=connect)


async def settings_wechat(request: web.Request) -> web.Response:
    """Start the ticket that connects a WeChat; the page follows it with the secret in the answer."""
    refresh = (await read_json(request)).get("refresh") is True
    site, user = request.app[SITE], current_user(request)
    if user is None:
        return problem("signed-out", status=HTTPStatus.UNAUTHORIZED)
    agent = request.headers.get("User-Agent", "").encode(errors="replace").decode()
    ticket = await site.scanbind.create_ticket(
        "bind",
        user_id=user.id,
        account_name=user.name,
        session=request[SESSION].tag,
        refresh=refresh,
        lang=site.lang,
        visitor={"ip": request.remote, "user_agent": agent},
    )
    return web.json_response(ticket, status=HTTPStatus.CREATED)


async def settings_disconnect(request: web.Request) -> web.StreamResponse:
    """Part the account from its WeChat."""
    account = await read_field(request, "account")
    site, user = request.app[SITE], current_user(request)
    if user is None:
        return go("/login")
    try:
        await site.scanbind.disconnect(user.id, account=account)
        request[SESSION].notice = "disconnected"
    except ScanbindError as e:
        request[SESSION].notice = "disconnected" if e.slug == "binding-not-found" else "unreachable"
    return go("/settings")


ROUTES: Final = (
    web.get("/settings", settings),
    web.post("/settings/wechat", settings_wechat),
    web.post("/settings/disconnect", settings_disconnect),
)
