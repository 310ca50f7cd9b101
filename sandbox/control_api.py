"""The control door: what a person can do with the sandbox, as HTTP with JSON. For the phone page, tests and tools.

Bodies are JSON objects. `user` is a user's id, `account` an appid (the first account when absent). What pushes
also takes `mischief` (a value of faults.Fault) and `wait` (default true: answer once the push is answered or
given up).
Failures are `{"error": text}`: 400 malformed, 403 from another site's page (callback: from another machine), 404
not there, 409 not possible now.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from sandbox import serializers
from sandbox.access import CONTROL, is_near
from sandbox.codes import read_object
from sandbox.emulator import Sandbox
from sandbox.errors import Impossible, Refused, Unknown
from sandbox.faults import Fault
from sandbox.pushes import NOISE
from sandbox.serializers import Json
from sandbox.wechat_api import SANDBOX

_Act = Callable[[Sandbox, "Ask"], Awaitable[Json]]
_STATUS: Final = {Unknown: 404, Impossible: 409}


class _Malformed(Exception):
    """The request is not what its door takes."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked: the body of a POST, the query of a GET."""

    fields: Json

    def text(self, name: str) -> str:
        """Return a field that must be there; raise _Malformed."""
        value = self.maybe(name)
        if value is None:
            raise _Malformed(f"{name}: must be given")
        return value

    def maybe(self, name: str) -> str | None:
        """Return a field, None when absent; raise _Malformed when it is no text."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            raise _Malformed(f"{name}: must be text")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.fields.get(name, default)
        if not isinstance(value, bool):
            raise _Malformed(f"{name}: must be true or false")
        return value

    @property
    def account(self) -> str | None:
        return self.maybe("account")

    @property
    def wait(self) -> bool:
        return self.flag("wait", default=True)

    @property
    def fault(self) -> Fault | None:
        name = self.maybe("mischief")
        if name is not None and name not in list(Fault):
            raise _Malformed(f"mischief: must be one of {', '.join(Fault)}")
        return Fault(name) if name else None


async def _accounts(sandbox: Sandbox, _ask: Ask) -> Json:
    """GET accounts -> {"accounts":[...]}: every account, without its secrets."""
    return {"accounts": [serializers.account(account) for account in sandbox.accounts]}


async def _point(sandbox: Sandbox, ask: Ask) -> Json:
    """POST callback {"url","account"?} -> the account: where its pushes go from now on."""
    sandbox.point(ask.text("url"), account=ask.account)
    return serializers.account(sandbox.state(ask.account).account)


async def _verify(sandbox: Sandbox, ask: Ask) -> Json:
    """POST verify {"account"?} -> {"flaw"}: verify the callback address as the console does; null when good."""
    return {"flaw": await sandbox.verify(account=ask.account)}


async def _users(sandbox: Sandbox, _ask: Ask) -> Json:
    """GET users -> {"users":[...]}: everybody, in the order they were made."""
    return {"users": [serializers.person(person) for person in sandbox.people.all()]}


async def _create_user(sandbox: Sandbox, ask: Ask) -> Json:
    """POST users {"nickname","language"?,"unionid"?} -> the user: somebody new, who follows nobody."""
    person = await sandbox.create_user(
        ask.text("nickname"), language=ask.maybe("language") or "zh_CN", unionid=ask.maybe("unionid")
    )
    return serializers.person(person)


async def _codes(sandbox: Sandbox, ask: Ask) -> Json:
    """GET codes[?account=] -> {"codes":[...]}: those that still work, the newest first."""
    return {"codes": [serializers.code(code) for code in sandbox.codes(account=ask.account)]}


async def _scan(sandbox: Sandbox, ask: Ask) -> Json:
    """POST scan {"user","code",...} -> {"outcome","code","delivery"}.

    `code` is a code's id, address, ticket or scene. `outcome`: `pushed`, `follow_first` (then follow), `expired`.
    """
    scan = await sandbox.scan(
        ask.text("user"), ask.text("code"), account=ask.account, fault=ask.fault, wait=ask.wait
    )
    return serializers.scan(scan)


async def _follow(sandbox: Sandbox, ask: Ask) -> Json:
    """POST follow {"user","by_search"?,...} -> the delivery: by the code scanned before, or found by search."""
    delivery = await sandbox.follow(
        ask.text("user"),
        account=ask.account,
        by_search=ask.flag("by_search", default=False),
        fault=ask.fault,
        wait=ask.wait,
    )
    return serializers.delivery(delivery)


async def _dismiss(sandbox: Sandbox, ask: Ask) -> Json:
    """POST dismiss {"user","account"?} -> {}: close the prompt to follow."""
    sandbox.dismiss(ask.text("user"), account=ask.account)
    return {}


async def _unfollow(sandbox: Sandbox, ask: Ask) -> Json:
    """POST unfollow {"user",...} -> the delivery."""
    delivery = await sandbox.unfollow(ask.text("user"), account=ask.account, fault=ask.fault, wait=ask.wait)
    return serializers.delivery(delivery)


async def _say(sandbox: Sandbox, ask: Ask) -> Json:
    """POST say {"user","text",...} -> the delivery of a typed message."""
    delivery = await sandbox.say(
        ask.text("user"), ask.text("text"), account=ask.account, fault=ask.fault, wait=ask.wait
    )
    return serializers.delivery(delivery)


async def _tap(sandbox: Sandbox, ask: Ask) -> Json:
    """POST tap {"user","link",...} -> the delivery of what the newest link with this id, content or label says."""
    delivery = await sandbox.tap(
        ask.text("user"), ask.text("link"), account=ask.account, fault=ask.fault, wait=ask.wait
    )
    return serializers.delivery(delivery)


async def _click(sandbox: Sandbox, ask: Ask) -> Json:
    """POST click {"user","key","account"?,"wait"?} -> the delivery of a menu entry that has a key."""
    delivery = await sandbox.click(ask.text("user"), ask.text("key"), account=ask.account, wait=ask.wait)
    return serializers.delivery(delivery)


async def _view(sandbox: Sandbox, ask: Ask) -> Json:
    """POST view {"user","url","account"?,"wait"?} -> the delivery of a menu entry that opens a page."""
    delivery = await sandbox.view(ask.text("user"), ask.text("url"), account=ask.account, wait=ask.wait)
    return serializers.delivery(delivery)


async def _noise(sandbox: Sandbox, ask: Ask) -> Json:
    """POST noise {"user","kind","account"?,"wait"?} -> the delivery of a push that is about no code."""
    delivery = await sandbox.noise(ask.text("user"), ask.text("kind"), account=ask.account, wait=ask.wait)
    return serializers.delivery(delivery)


async def _chat(sandbox: Sandbox, ask: Ask) -> Json:
    """GET chat?user=[&account=] -> {"messages":[...]}: the oldest first."""
    messages = await sandbox.chat(ask.text("user"), account=ask.account)
    return {"messages": [serializers.message(message) for message in messages]}


async def _deliveries(sandbox: Sandbox, ask: Ask) -> Json:
    """GET deliveries[?user=][&account=] -> {"deliveries":[...]}: pushes and the answers, the newest first."""
    user, account = ask.maybe("user"), ask.account
    wanted = (
        delivery
        for delivery in reversed(sandbox.deliveries)
        if user in (None, delivery.contact.person.id) and account in (None, delivery.account.appid)
    )
    return {"deliveries": [serializers.delivery(delivery) for delivery in wanted]}


async def _phone(sandbox: Sandbox, ask: Ask) -> Json:
    """GET phone?user=[&account=] -> how the user stands with the account, and the chat: all a screen needs."""
    contact = sandbox.contact(ask.text("user"), account=ask.account)
    return {**serializers.standing(contact), "messages": [serializers.message(line) for line in contact.messages]}


async def _tricks(_sandbox: Sandbox, _ask: Ask) -> Json:
    """GET tricks -> {"mischief":[...],"noise":[...]}: the names `mischief` and `kind` may take."""
    return {"mischief": list(Fault), "noise": list(NOISE)}


_NEAR_ONLY: Final = frozenset({_point})
"""Who says where pushes go reads the answers (`deliveries`): strangers would read what this machine alone may."""


def _door(act: _Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        if act in _NEAR_ONLY and not is_near(request):
            return web.json_response({"error": "only from the machine the sandbox runs on"}, status=403)
        try:
            body = await act(request.app[SANDBOX], await _read(request))
        except (Refused, _Malformed) as e:
            return web.json_response({"error": str(e)}, status=400)
        except (Unknown, Impossible) as e:
            return web.json_response({"error": str(e)}, status=_STATUS[type(e)])
        return web.json_response(body, headers={"Cache-Control": "no-store"})

    return handler


async def _read(request: web.Request) -> Ask:
    if request.method == "GET":
        return Ask(dict(request.query))
    # A page of another site can post anything but JSON without asking first: the second lock beside guard.py.
    if request.content_type != "application/json":
        raise _Malformed("the body must be application/json")
    return Ask(read_object(await request.read()))


_DOORS: Final[tuple[tuple[str, str, _Act], ...]] = (
    ("GET", "accounts", _accounts),
    ("GET", "users", _users),
    ("GET", "codes", _codes),
    ("GET", "chat", _chat),
    ("GET", "deliveries", _deliveries),
    ("GET", "phone", _phone),
    ("GET", "tricks", _tricks),
    ("POST", "users", _create_user),
    ("POST", "callback", _point),
    ("POST", "verify", _verify),
    ("POST", "scan", _scan),
    ("POST", "follow", _follow),
    ("POST", "dismiss", _dismiss),
    ("POST", "unfollow", _unfollow),
    ("POST", "say", _say),
    ("POST", "tap", _tap),
    ("POST", "click", _click),
    ("POST", "view", _view),
    ("POST", "noise", _noise),
)


def add_routes(app: web.Application) -> None:
    """Add the control door under /sandbox/api/."""
    for method, name, act in _DOORS:
        app.router.add_route(method, CONTROL + name, _door(act))
