"""The control API of mini programs: their codes, and what a phone does with one; see sandbox/control_api.py.

`program` is an appid. `mini_program_login` and `mini_program_request` are what `wx.login` and `wx.request` do.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from yarl import URL

from sandbox.access import CONTROL
from sandbox.account import MiniProgram
from sandbox.authorization.inside import user_agent
from sandbox.control_requests import Ask, endpoint
from sandbox.errors import Impossible
from sandbox.in_app_browser.addresses import origin
from sandbox.mini_program.api import MINI_PROGRAMS
from sandbox.mini_program.codes import ProgramCode
from sandbox.mini_program.programs import MiniPrograms
from sandbox.people import Person
from sandbox.serializers import Json
from sandbox.wechat_api import SANDBOX

_Act = Callable[[MiniPrograms, Ask], Awaitable[Json]]
_ARRIVES_WITHIN: Final = ClientTimeout(total=20)


async def _programs(programs: MiniPrograms, ask: Ask) -> Json:
    """GET mini_programs[?user=] -> {"mini_programs":[...],"blocked"}: all, without secrets; see `_block`."""
    told = [_program(programs, one.appid) for one in programs.programs]
    return {"mini_programs": told, "blocked": ask.maybe("user") in programs.logins.blocked}


async def _codes(programs: MiniPrograms, _ask: Ask) -> Json:
    """GET mini_program_codes -> {"codes":[...]}: the newest codes, newest first."""
    return {"codes": [code_of(programs, code) for code in programs.shown()]}


async def _open(programs: MiniPrograms, ask: Ask) -> Json:
    """POST open_mini_program {"code"} -> {"appid","name","page","scene","env_version"}: what is opened.

    `code`: id or address of a code, or a plain scheme link (`weixin://dl/business/?...`).
    """
    return dict(programs.opened(ask.text("code")))


async def _login(programs: MiniPrograms, ask: Ask) -> Json:
    """POST mini_program_login {"user","program"} -> {"code"}."""
    return {"code": programs.login(ask.text("user"), ask.text("program"))}


async def _block(programs: MiniPrograms, ask: Ask) -> Json:
    """POST block_in_mini_programs {"user","on"?} -> {"blocked"}: answer the user's logins with 40226, or not."""
    programs.block(ask.text("user"), on=ask.flag("on", default=True))
    return {"blocked": ask.text("user") in programs.logins.blocked}


async def _release(programs: MiniPrograms, ask: Ask) -> Json:
    """POST mini_program_release {"program","known"?} -> the mini program: whether its released pages are known."""
    programs.codes(ask.text("program")).release_known = ask.flag("known", default=True)
    return _program(programs, ask.text("program"))


async def _request(request: web.Request) -> web.Response:
    """POST mini_program_request {"user","program","url","data"} -> {"status","text"}.

    Posts the JSON text `data` from the user's phone, as WeChat's client does: with its Referer, and only to the
    host that the mini program may call.
    """

    async def act(programs: MiniPrograms, ask: Ask) -> Json:
        program = programs.get(ask.text("program"))
        url = _permitted(program, ask.text("url"))
        person = request.app[SANDBOX].people.get(ask.text("user"))
        return await _sent(program.appid, person, url, ask.text("data"))

    return await endpoint(MINI_PROGRAMS, act)(request)


def _permitted(program: MiniProgram, text: str) -> URL:
    """Return the address, which must be on the host that the mini program may call."""
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if origin(url) != origin(URL(program.api)):
        raise Impossible(f"{text[:128]!r} is on no request domain of this mini program")
    return url


async def _sent(appid: str, person: Person, url: URL, data: str) -> Json:
    headers = {
        "Content-Type": "application/json",
        "Referer": f"https://servicewechat.com/{appid}/0/page-frame.html",
        "User-Agent": user_agent(person),
    }
    try:
        async with (
            ClientSession(headers=headers, timeout=_ARRIVES_WITHIN) as http,
            http.post(url, data=data.encode(), allow_redirects=False) as answer,
        ):
            return {"status": answer.status, "text": await answer.text()}
    except (ClientError, TimeoutError) as e:
        raise Impossible(f"{url.origin()} cannot be reached") from e


def _program(programs: MiniPrograms, appid: str) -> Json:
    one, known = programs.get(appid), programs.codes(appid).release_known
    return {"appid": one.appid, "name": one.name, "open_platform": one.open_platform, "release_known": known}


def code_of(programs: MiniPrograms, code: ProgramCode) -> Json:
    """Return a code for the camera; `created_at` in seconds since 1970."""
    return {
        "id": code.id,
        "appid": code.appid,
        "name": programs.get(code.appid).name,
        "url": code.url,
        "scene": code.scene,
        "page": code.page,
        "created_at": code.created_at,
    }


_ENDPOINTS: Final[tuple[tuple[str, str, _Act], ...]] = (
    ("GET", "mini_programs", _programs),
    ("GET", "mini_program_codes", _codes),
    ("POST", "open_mini_program", _open),
    ("POST", "mini_program_login", _login),
    ("POST", "block_in_mini_programs", _block),
    ("POST", "mini_program_release", _release),
)


def add_routes(app: web.Application) -> None:
    """Add these endpoints to the control API."""
    for method, name, act in _ENDPOINTS:
        app.router.add_route(method, CONTROL + name, endpoint(MINI_PROGRAMS, act))
    app.router.add_post(f"{CONTROL}mini_program_request", _request)
