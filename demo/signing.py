"""Coming in and going out. Whoever becomes signed in does so through `_enter`, on a new session."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

from demo.pages import fragment
from demo.scanbind import ScanbindError
from demo.site import SESSION, SITE, code_panel, current_user, go, problem, read_field, read_json, show
from demo.users import User


async def home(request: web.Request) -> web.Response:
    """Say where one is."""
    return show(request, "home")


async def login(request: web.Request) -> web.StreamResponse:
    """Offer both ways in. Coming here starts over: a WeChat scanned earlier and left waiting is forgotten."""
    if current_user(request):
        return go("/")
    request[SESSION].registration = None
    return _login_page(request)


async def login_password(request: web.Request) -> web.StreamResponse:
    """Sign in with name and password."""
    user = await _checked(request)
    if user is None:
        return _login_page(request, notice="wrong_password", status=HTTPStatus.FORBIDDEN)
    _enter(request, user)
    return go("/")


async def login_wechat(request: web.Request) -> web.Response:
    """Turn the code of a confirmed ticket into a signed-in session, or into the start of a sign-up."""
    code = (await read_json(request)).get("code")
    if not isinstance(code, str):
        raise web.HTTPBadRequest
    site, session = request.app[SITE], request[SESSION]
    found = await site.scanbind.exchange(code)
    if not session.owns(found["state"]):
        return problem("state", status=HTTPStatus.FORBIDDEN)
    if found["outcome"] == "register":
        session.registration = found["registration"]
        return web.json_response({"next": "/signup"})
    user = site.users.get(found["user_id"])
    if user is None:  # bindings outlive these accounts, which a restart forgets
        await site.scanbind.disconnect(found["user_id"], account=found["account"])
        return problem("gone", status=HTTPStatus.GONE)
    _enter(request, user)
    return web.json_response({"next": "/"})


async def signup(request: web.Request) -> web.StreamResponse:
    """Offer an account; also where a WeChat that nobody has yet is given one."""
    return go("/") if current_user(request) else _signup_page(request)


async def signup_new(request: web.Request) -> web.StreamResponse:
    """Make the account, and connect the WeChat that waits for one."""
    name, password = await _name_and_password(request)
    try:
        user = await request.app[SITE].users.add(name, password)
    except ValueError:
        return _signup_page(request, notice="bad_form", status=HTTPStatus.BAD_REQUEST, typed=name)
    if user is None:
        return _signup_page(request, notice="name_taken", status=HTTPStatus.CONFLICT, typed=name)
    _enter(request, user, notice=await _connect(request, user))
    return go("/")


async def signup_existing(request: web.Request) -> web.StreamResponse:
    """Connect the WeChat that waits to an account there already is.

    An address of its own: signing in elsewhere must not pick up a WeChat that someone else left waiting here.
    """
    user = await _checked(request)
    if user is None:
        return _signup_page(request, notice="wrong_password", status=HTTPStatus.FORBIDDEN)
    _enter(request, user, notice=await _connect(request, user))
    return go("/")


async def logout(request: web.Request) -> web.StreamResponse:
    """Sign out."""
    request[SESSION] = request.app[SITE].sessions.start(instead_of=request[SESSION])
    return go("/")


ROUTES: Final = (
    web.get("/", home),
    web.get("/login", login),
    web.post("/login", login_password),
    web.post("/login/wechat", login_wechat),
    web.get("/signup", signup),
    web.post("/signup", signup_new),
    web.post("/signup/existing", signup_existing),
    web.post("/logout", logout),
)


def _enter(request: web.Request, user: User, *, notice: str = "") -> None:
    request[SESSION] = request.app[SITE].sessions.start(user_id=user.id, instead_of=request[SESSION])
    request[SESSION].notice = notice


async def _connect(request: web.Request, user: User) -> str:
    """Bind the WeChat that waits to *user*; return what to say about it."""
    registration = request[SESSION].registration
    if registration is None:
        return ""
    try:
        await request.app[SITE].scanbind.bind(user.id, registration=registration)
    except ScanbindError as e:
        word = e.reason or e.slug
        return word if word in ("wechat_taken", "user_taken", "invalid-code") else "unreachable"
    return "connected"


def _login_page(request: web.Request, *, notice: str = "", status: int = 200) -> web.Response:
    return show(request, "login", notice=notice, status=status, code=code_panel(request, purpose="login"))


def _signup_page(request: web.Request, *, notice: str = "", status: int = 200, typed: str = "") -> web.Response:
    lang, waits = request.app[SITE].lang, request[SESSION].registration is not None
    return show(
        request,
        "signup",
        notice=notice,
        status=status,
        typed=typed,
        waiting=fragment("waiting", lang=lang) if waits else "",
        existing=fragment("existing", lang=lang) if waits else "",
    )


async def _name_and_password(request: web.Request) -> tuple[str, str]:
    return await read_field(request, "name"), await read_field(request, "password")


async def _checked(request: web.Request) -> User | None:
    name, password = await _name_and_password(request)
    return await request.app[SITE].users.check(name, password)
